//! `berth down` stops what runs; what people made is there again with the next `berth up`.

use crate::harness::{Berth, docker, http, until};

#[test]
fn services_and_rules_are_there_again_after_down_and_up() {
    let mut berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");
    berth.run(&["deploy", "hello", "--replicas", "2", "--host", "shop.localhost"]).ok();
    let revision = berth.service("hello").revision;
    let installation = berth.installation();

    let asked = berth.run(&["down", "--delete-services"]).fails(2);
    assert!(asked.contains("--yes"), "nobody can be asked: {asked}");
    assert_eq!(berth.tasks("hello").len(), 2, "nothing is stopped unasked");
    berth.run(&["down"]).ok();
    assert_eq!(docker::containers(&installation, true), Vec::<String>::new());
    berth.up_has_ended();

    berth.start();
    until("both tasks run again", || berth.service("hello").running_count == 2);
    let service = berth.service("hello");
    assert_eq!((service.desired_count, service.revision), (2, revision));
    until("it answers at its host", || {
        http::get_from(&berth.router(), "shop.localhost", "/").is_ok_and(|one| one.status == 200)
    });

    berth.run(&["down", "--keep-tasks"]).ok();
    assert_eq!(docker::containers(&installation, false).len(), 2, "containers go on");
    berth.up_has_ended();
    berth.start();
    until("its containers are taken over", || berth.service("hello").running_count == 2);

    berth.run(&["down", "--delete-services", "--yes"]).ok();
    berth.up_has_ended();
    berth.start();
    berth.run(&["service", "show", "hello"]).fails(3);
    berth.run(&["down"]).ok();
}
