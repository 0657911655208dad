//! A zip archive of one published file, made for one answer.

use super::{OVERHEAD_BYTES, Packages, blocking, refused, unmade};
use crate::copies::unnamed_file;
use muster_render::{Written, ZipFiles};
use muster_reports::error::Result;
use muster_reports::ids::ClientId;
use muster_reports::made::MadeFile;
use muster_reports::task::PublishedFile;
use std::io;
use std::sync::Arc;

impl Packages {
    /// The archive of `published`, named `name` in it.
    pub(super) async fn archive_of(
        &self,
        client: &ClientId,
        published: &PublishedFile,
        name: &str,
    ) -> Result<MadeFile> {
        let room = self.parts.copies.room(client, published.bytes + OVERHEAD_BYTES).await?;
        let place = self.places.clone().acquire_owned().await.map_err(unmade)?;
        let (files, ids) = (self.parts.files.clone(), self.parts.ids.clone());
        let (work_dir, published, name) = (self.parts.work_dir.clone(), published.clone(), name.to_owned());
        blocking(move || {
            let file = unnamed_file(&work_dir, &*ids).map_err(unmade)?;
            let mut content = files.open_published(&published.stored_name, None)?.content;
            let mut archive = ZipFiles::new(file.try_clone().map_err(unmade)?);
            let mut member = archive.start_member(&name).map_err(refused)?;
            io::copy(&mut content, &mut member).map_err(unmade)?;
            let content = member.finish(&Written::default()).map_err(refused)?;
            if content.sha256 != published.sha256 {
                return Err(unmade(format!("{} is not what was published", published.stored_name)));
            }
            let written = archive.finish().map_err(refused)?;
            drop(place);
            let (bytes, sha256) = (written.bytes, written.sha256);
            Ok(MadeFile { file: Arc::new(file), bytes, sha256, held: Some(Arc::new(room)) })
        })
        .await
    }
}
