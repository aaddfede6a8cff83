//! The place outside the database that keeps what was published: a folder, or a bucket of an object store.
//!
//! It is written before anybody else sees a checkpoint, so that a database that comes back older than what the world
//! has seen is noticed, and its log can be continued.

use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use std::collections::HashSet;
use std::sync::Arc;

/// Why the place outside cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// The store refused, or cannot be reached.
    #[error("the copy of the evidence outside the database cannot be {what}")]
    Store {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: object_store::Error,
    },
    /// The folder cannot be made.
    #[error("the folder `{path}` for the copy of the evidence cannot be made")]
    Folder {
        /// Its path.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
}

impl OutsideError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        "check `evidence.outside`: this user must be able to write there; `duly settings` shows it"
    }
}

/// Where published tiles, bundles and checkpoints are kept.
#[derive(Clone)]
pub struct Outside {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Outside {
    /// Opens `s3://bucket/prefix`, with credentials from the usual `AWS_…` variables, or a folder, which is made.
    pub fn open(place: &str) -> Result<Self, OutsideError> {
        let opening = |source| OutsideError::Store { what: "opened", source };
        if let Some(rest) = place.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let store = AmazonS3Builder::from_env().with_bucket_name(bucket).build().map_err(opening)?;
            return Ok(Self { store: Arc::new(store), prefix: Path::from(prefix) });
        }
        std::fs::create_dir_all(place).map_err(|source| OutsideError::Folder { path: place.to_owned(), source })?;
        // A file that a crash of the machine takes back would be a checkpoint that the world has seen and we have not.
        let store = LocalFileSystem::new_with_prefix(place).map_err(opening)?.with_fsync(true).with_automatic_cleanup(true);
        Ok(Self { store: Arc::new(store), prefix: Path::default() })
    }

    /// Writes a file whole, or leaves the old one.
    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), OutsideError> {
        let put = self.store.put(&self.path(name), PutPayload::from(bytes)).await;
        put.map(|_| ()).map_err(|source| OutsideError::Store { what: "written", source })
    }

    /// Reads a file; `None` where there is none.
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, OutsideError> {
        let failed = |source| OutsideError::Store { what: "read", source };
        match self.store.get(&self.path(name)).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(failed)?.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed(source)),
        }
    }

    /// Removes a file; none is no error.
    pub async fn remove(&self, name: &str) -> Result<(), OutsideError> {
        match self.store.delete(&self.path(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(OutsideError::Store { what: "tidied", source }),
        }
    }

    /// Removes every file below a folder; none is no error.
    pub async fn remove_below(&self, folder: &str) -> Result<(), OutsideError> {
        let failed = |source| OutsideError::Store { what: "tidied", source };
        let below: Vec<_> = self.store.list(Some(&self.path(folder))).try_collect().await.map_err(failed)?;
        for file in below {
            self.store.delete(&file.location).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Names of all files below a folder, as seen from it.
    pub async fn list_files(&self, folder: &str) -> Result<HashSet<String>, OutsideError> {
        let root = self.path(folder);
        let listed: Vec<_> =
            self.store.list(Some(&root)).try_collect().await.map_err(|source| OutsideError::Store { what: "listed", source })?;
        let name = |path: &Path| {
            path.prefix_match(&root).map(|parts| parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"))
        };
        Ok(listed.iter().filter_map(|file| name(&file.location)).collect())
    }

    /// Names of the folders directly in a folder.
    pub async fn list_folders(&self, folder: &str) -> Result<Vec<String>, OutsideError> {
        let listed = self.store.list_with_delimiter(Some(&self.path(folder))).await;
        let listed = listed.map_err(|source| OutsideError::Store { what: "listed", source })?;
        Ok(listed.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect())
    }

    fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_as_written_and_a_missing_one_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let outside = Outside::open(folder.path().to_str().unwrap()).unwrap();
        outside.put("duly.test/log/tile/0/000.p/3", b"abc".to_vec()).await.unwrap();

        assert_eq!(outside.get("duly.test/log/tile/0/000.p/3").await.unwrap(), Some(b"abc".to_vec()));
        assert_eq!(outside.get("duly.test/log/checkpoint").await.unwrap(), None);
        assert_eq!(std::fs::read(folder.path().join("duly.test/log/tile/0/000.p/3")).unwrap(), b"abc");
        outside.remove_below("duly.test/log/tile/0/000.p").await.unwrap();
        assert_eq!(outside.get("duly.test/log/tile/0/000.p/3").await.unwrap(), None);
    }
}
