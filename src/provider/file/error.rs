//! Why a lane's folder cannot be used, and what to do about it.

use duly_letter::LetterError;
use std::io;

/// Why no batch was made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// A file is not what this program writes.
    #[error("a file of the folder is not as Duly wrote it")]
    Unreadable,
    /// The letters.
    #[error(transparent)]
    Letter(#[from] LetterError),
    /// The CSV file.
    #[error("the CSV file cannot be written")]
    Csv(#[from] csv::Error),
}

impl MakeError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable => "bring the folder back as it was: whoever changed it has changed what was sent",
            Self::Letter(_) => "pause the lane and report this as a fault of Duly: what was approved does not make a batch",
            Self::Csv(_) => "look at the disk of the lane's folder",
        }
    }
}

/// Why the folder was not changed or read.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Somebody else held it all the time.
    #[error("the folder of the lane is held by another process")]
    Locked,
    /// Nobody set it up, or the disk that it stands on is not there.
    #[error("the folder of the lane is not set up, or its disk is not there")]
    NotSetUp,
    /// It belongs to another lane.
    #[error("the folder belongs to another lane")]
    Foreign,
    /// What was written to it is not in it any more.
    #[error("the folder of the lane is an older copy: it lacks what was written to it")]
    Older,
    /// The file system.
    #[error("the folder of the lane cannot be used")]
    Io(#[from] io::Error),
    /// A batch cannot be made of what waits.
    #[error("a batch cannot be made of what waits")]
    Make(#[from] MakeError),
}

impl SpoolError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Locked => "wait until the other process is done; one worker at a time writes a batch",
            Self::NotSetUp => "mount the disk, or set the folder up with `duly provider check LANE`",
            Self::Foreign => "give each lane a `folder` of its own",
            Self::Older => {
                "put its newest copy back; where that is lost, declare by `duly batch result` what did not leave, and go on with a lane and a folder of another name"
            }
            Self::Io(_) => "look at the folder's disk and rights, as the user of the workers",
            Self::Make(error) => error.remedy(),
        }
    }
}
