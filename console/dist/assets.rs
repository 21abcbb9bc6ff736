// Written by `console/build.mjs`.
static ASSETS: &[Asset] = &[
    Asset {
        name: "app-46313e8a33.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("app-46313e8a33.js"),
        gzip: include_bytes!("app-46313e8a33.js.gz"),
    },
    Asset {
        name: "app-ed1b5f7e70.css",
        content_type: "text/css; charset=utf-8",
        plain: include_bytes!("app-ed1b5f7e70.css"),
        gzip: include_bytes!("app-ed1b5f7e70.css.gz"),
    },
    Asset {
        name: "icon-892090ee5f.svg",
        content_type: "image/svg+xml",
        plain: include_bytes!("icon-892090ee5f.svg"),
        gzip: include_bytes!("icon-892090ee5f.svg.gz"),
    },
    Asset {
        name: "layout-b0a048563e.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("layout-b0a048563e.js"),
        gzip: include_bytes!("layout-b0a048563e.js.gz"),
    },
];
