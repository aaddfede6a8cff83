//! Why a plan was not made, and what to do now.

use crate::config::ProfileError;
use crate::model::seal::SealError;
use crate::model::state::{Channel, Route};
use crate::render::check::Report;
use crate::store::StoreError;
use duly_ledger::ManifestError;

/// Why a plan was not made; nothing was frozen.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A template.
    #[error(transparent)]
    Template(#[from] crate::render::RenderError),
    /// Nobody to plan for.
    #[error("there is nobody to plan for: no open list has people")]
    Nobody,
    /// A route on which nobody could ever count as notified.
    #[error("the route `{route}` cannot end in `notified` under {profiles}")]
    NeverNotifies {
        /// The route.
        route: Route,
        /// Profiles of the people who would take it.
        profiles: String,
    },
    /// People whose jurisdiction belongs to no profile of the plan.
    #[error("{}", where_nobody_governs(.ungoverned, .profiles))]
    Ungoverned {
        /// Jurisdictions, each with how many people.
        ungoverned: Vec<(String, u64)>,
        /// Profiles of the plan.
        profiles: Vec<String>,
    },
    /// A channel without a lane.
    #[error("the route `{route}` needs the channel `{channel}`, which has no lane")]
    NoLane {
        /// The route.
        route: Route,
        /// The channel.
        channel: Channel,
    },
    /// A route whose lanes say too little to end a notice.
    #[error("the route `{route}` cannot end in `notified`: the lane `{lane}` tells no more than that a message was taken")]
    NeverTold {
        /// The route.
        route: Route,
        /// The lane.
        lane: String,
    },
    /// A legal profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The content check found what must be mended, or what somebody has to explain.
    #[error("{}", refusal(.report, .unexplained))]
    Content {
        /// All that it found.
        report: Report,
        /// Keys of warnings without a reason.
        unexplained: Vec<String>,
    },
    /// The rendering task died.
    #[error("rendering stopped")]
    Rendering,
}

fn refusal(report: &Report, unexplained: &[String]) -> String {
    match report.has_errors() {
        true => "the content check found what must be mended; nothing was frozen".to_owned(),
        false => {
            format!("the content check warns of {}, and nobody has said why it is sent all the same", unexplained.join(", "))
        }
    }
}

fn where_nobody_governs(people: &[(String, u64)], profiles: &[String]) -> String {
    let total: u64 = people.iter().map(|(_, n)| n).sum();
    let places: Vec<String> = people.iter().map(|(place, n)| format!("{place} ({n})")).collect();
    let who = if total == 1 { "1 person lives".to_owned() } else { format!("{total} people live") };
    format!("{who} where none of the plan's profiles ({}) governs: {}", profiles.join(", "), places.join(", "))
}

impl PlanError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> String {
        match self {
            Self::Store(e) => e.remedy().to_owned(),
            Self::Seal(_) => "check that the master key belongs to this database".to_owned(),
            Self::Manifest(_) | Self::Rendering => {
                "run the command again; if it fails again, report it as a fault of Duly".to_owned()
            }
            Self::Template(e) => e.remedy().to_owned(),
            Self::Nobody => "import a list with `duly list import`, or look at `duly quarantine list`".to_owned(),
            Self::NeverNotifies { .. } => {
                "choose a route with a letter, or a template that declares `content = full` for the text message".to_owned()
            }
            Self::Ungoverned { ungoverned, profiles } => {
                let (place, _) = ungoverned.first().cloned().unwrap_or_default();
                let profile = profiles.first().cloned().unwrap_or_default();
                format!(
                    "name their profiles with `--profile`, or say which a lawyer chose for them, such as `--under {place}={profile}`"
                )
            }
            Self::Content { report, .. } if report.has_errors() => {
                "mend each as the report says, in the incident's texts or in the template, and prepare again".to_owned()
            }
            Self::Content { unexplained, .. } => {
                let key = unexplained.first().map_or("C030", String::as_str);
                format!("mend it, or give a reason of some words for each: `--accept {key}='…'`")
            }
            Self::Profile(e) => e.remedy().to_owned(),
            Self::NeverTold { .. } => {
                "choose a route that goes on with a letter, or give the lane a `receipt_secret` by which its provider's news are believed".to_owned()
            }
            Self::NoLane { channel, .. } => format!("add a lane for `{channel}` to the settings, or leave the route out"),
        }
    }
}
