//! What `berth up` tells when everything is ready: where things are, and what to do next.

use config::Config;

use crate::cli::output;
use crate::endpoints::Endpoints;
use crate::layout::Layout;

/// What to tell.
#[derive(Debug)]
pub(crate) struct Summary {
    layout: Layout,
    /// Whether there was no administrator yet.
    first: bool,
}

impl Summary {
    /// Looks before anything is started.
    pub(crate) fn begin(config: &Config) -> Self {
        let layout = Layout::new(&config.data_dir);
        let first = !layout.admin_token().exists();
        Self { layout, first }
    }

    /// Prints it; the password at the very first start only.
    pub(crate) fn print(&self, detached: bool) {
        for line in self.text(detached).lines() {
            output::line(line);
        }
    }

    fn text(&self, detached: bool) -> String {
        let Endpoints { registry, router, admin, link: _ } = Endpoints::read(&self.layout);
        let port = |address: Option<std::net::SocketAddr>| address.map_or(0, |it| it.port());
        let registry = format!("localhost:{}", port(registry));
        let mut text = format!(
            "\nBerth is running.\n\n  registry   {registry}\n  services   http://<service>.localhost:{}\n  \
             admin API  http://localhost:{}/api/v1\n  data       {}\n\n",
            port(router),
            port(admin),
            self.layout.root().display()
        );
        let kept = self.layout.admin_token();
        let token = std::fs::read_to_string(&kept).ok().filter(|_| self.first);
        if let Some(token) = token {
            text += &format!(
                "The password of `admin`, printed this once and kept in {}:\n\n  {}\n\n",
                kept.display(),
                token.trim()
            );
        }
        text += &format!(
            "Next:\n\n  docker login {registry} -u admin\n  docker build -t {registry}/hello . && docker push {registry}/hello\n  \
             berth deploy hello --replicas 3\n\n"
        );
        text += if detached {
            "`berth down` stops all tasks and ends it.\n"
        } else {
            "Ctrl-C ends Berth and leaves the containers running; `berth down` stops them too.\n"
        };
        text
    }
}
