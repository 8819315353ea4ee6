//! What `berth up` tells when everything is ready: where things are, and what to do next.

use config::{Config, Origin};

use crate::endpoints::Endpoints;
use crate::failure::RoleFailure;
use crate::layout::Layout;
use crate::role_kind::RoleKind;
use crate::sentences;

/// What to tell.
#[derive(Debug)]
pub(crate) struct Summary {
    layout: Layout,
    /// Whether there was no administrator yet.
    first: bool,
    /// How other commands find this data directory: they look where the environment says, but not where a flag did.
    command: String,
}

impl Summary {
    /// Looks before anything is started.
    pub(crate) fn begin(config: &Config) -> Self {
        let layout = Layout::new(&config.data_dir);
        let first = !layout.admin_token().exists();
        let by_flag =
            config.shown.iter().any(|one| one.key == "data_dir" && one.origin == Origin::Flag);
        let command = if by_flag {
            format!("berth --data-dir {}", config.data_dir.display())
        } else {
            "berth".to_owned()
        };
        Self { layout, first, command }
    }

    /// Prints it; the password and what to do with it at the very first start only.
    pub(crate) fn print(&self, detached: bool) {
        for line in self.text(detached, terminal::is_read_by_a_person()).lines() {
            terminal::line(line);
        }
        if let Some(failure) = RoleFailure::read(&self.layout.failure(RoleKind::Agent)) {
            terminal::note(&sentences::no_tasks_yet(&failure.message));
        }
    }

    /// `shows_password`: a journal or a file of somebody else's would keep it.
    fn text(&self, detached: bool, shows_password: bool) -> String {
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
        let (kept, berth) = (self.layout.admin_token(), &self.command);
        let token = std::fs::read_to_string(&kept).ok().filter(|_| self.first);
        let password = token.as_deref().map(|token| {
            if shows_password {
                format!(", printed this once and kept in {}:\n\n  {}", kept.display(), token.trim())
            } else {
                format!(" is in {}.", kept.display())
            }
        });
        text += &match password {
            Some(password) => format!(
                "The password of `admin`{password}\n\nNext:\n\n  docker login {registry} -u \
                 admin\n  docker build -t {registry}/hello . && docker push {registry}/hello\n  {berth} deploy hello --replicas \
                 3\n\n"
            ),
            None => format!(
                "`{berth} status` shows what runs. The password of `admin` is in {}.\n",
                kept.display()
            ),
        };
        text += &if detached {
            format!("`{berth} down` stops all tasks and ends it.\n")
        } else {
            format!(
                "Ctrl-C ends Berth and leaves the containers running; `{berth} down` stops them too.\n"
            )
        };
        text
    }
}
