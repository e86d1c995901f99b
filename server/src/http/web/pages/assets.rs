/// Nothing but what this server serves itself, no page in a frame, and no form that leaves.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A file that pages refer to, built into the program.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Its address.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its text.
    pub body: &'static str,
}

/// All of them.
pub const ASSETS: [Asset; 3] = [
    Asset {
        path: "/assets/style.css",
        content_type: "text/css; charset=utf-8",
        body: include_str!("../../../../assets/style.css"),
    },
    Asset {
        path: "/assets/copy.js",
        content_type: "text/javascript; charset=utf-8",
        body: include_str!("../../../../assets/copy.js"),
    },
    Asset {
        path: "/assets/icon.svg",
        content_type: "image/svg+xml",
        body: include_str!("../../../../assets/icon.svg"),
    },
];
