//! Style, scripts and icon, in the binary. Their addresses have digests of their content, so that browsers may keep them.

use crate::problem::Problem;
use axum::body::Body;
use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static [u8],
}

/// htmx is version 4.0.1 as its package has it; its licence (0BSD) asks for no notice.
const ASSETS: [Asset; 5] = [
    Asset {
        name: "console.css",
        media_type: "text/css; charset=utf-8",
        content: include_bytes!("../assets/console.css"),
    },
    Asset {
        name: "console.js",
        media_type: "text/javascript; charset=utf-8",
        content: include_bytes!("../assets/console.js"),
    },
    Asset {
        name: "htmx.min.js",
        media_type: "text/javascript; charset=utf-8",
        content: include_bytes!("../assets/htmx.min.js"),
    },
    Asset {
        name: "package.js",
        media_type: "text/javascript; charset=utf-8",
        content: include_bytes!("../assets/package.js"),
    },
    Asset { name: "icon.svg", media_type: "image/svg+xml", content: include_bytes!("../assets/icon.svg") },
];

/// The addresses, in the order of [`ASSETS`].
static ADDRESSES: LazyLock<[String; 5]> = LazyLock::new(|| {
    ASSETS.map(|asset| {
        let digest = hex::encode(Sha256::digest(asset.content));
        format!("/ui/assets/{}/{}", &digest[..16], asset.name)
    })
});

/// The address of an asset; empty if there is none of this name.
pub(crate) fn address(name: &str) -> &'static str {
    let found = ASSETS.iter().position(|asset| asset.name == name);
    found.map_or("", |index| ADDRESSES[index].as_str())
}

/// An asset. Another digest is another address, where nothing is.
pub(crate) async fn asset(Path((digest, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let asked = format!("/ui/assets/{digest}/{name}");
    let found = ADDRESSES.iter().position(|known| *known == asked).ok_or(Problem::NoSuchPage)?;
    let mut response = Response::new(Body::from(ASSETS[found].content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(ASSETS[found].media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Ok(response)
}
