//! The resource of a build: what can be told of its place from the path of its log.
//!
//! Kubernetes and container runtimes write pod, container and ids into the paths of logs. Nothing is looked up.

use std::path::Path;

use super::Settings;
use super::build::{Attributes, Value};

/// Resource attributes of what no log tells of.
pub(crate) fn of_machine(settings: &Settings) -> Attributes {
    let mut attributes: Attributes = vec![
        ("service.name", text("go-build")),
        ("telemetry.distro.name", text("gobeacon")),
        ("telemetry.distro.version", text(env!("CARGO_PKG_VERSION"))),
    ];
    if let Some(name) = &settings.host_name {
        attributes.push(("host.name", text(name)));
    }
    attributes
}

/// Resource attributes of the builds of the log at `path`.
pub(crate) fn of_log(path: &Path, settings: &Settings) -> Attributes {
    let mut attributes = of_machine(settings);
    attributes.push(("log.file.path", text(&path.to_string_lossy())));
    let parts: Vec<_> = path.iter().filter_map(|part| part.to_str()).collect();
    for (at, part) in parts.iter().enumerate() {
        let behind = parts.get(at + 1..).unwrap_or(&[]);
        match (*part, behind) {
            ("pods", [pod, container, file]) => kubelet(pod, container, file, &mut attributes),
            ("containers", [file]) => cri_link(file, &mut attributes),
            ("containers", [id, file]) if file.starts_with(id) && is_container_id(id) => {
                attributes.push(("container.id", text(id)));
            }
            _ => {}
        }
    }
    attributes
}

/// `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/RESTARTS.log`
fn kubelet(pod: &str, container: &str, file: &str, attributes: &mut Attributes) {
    let mut names = pod.splitn(3, '_');
    let (Some(namespace), Some(name), Some(uid)) = (names.next(), names.next(), names.next()) else { return };
    attributes.push(("k8s.namespace.name", text(namespace)));
    attributes.push(("k8s.pod.name", text(name)));
    attributes.push(("k8s.pod.uid", text(uid)));
    attributes.push(("k8s.container.name", text(container)));
    if let Some(Ok(restarts)) = file.split('.').next().map(str::parse::<u32>) {
        attributes.push(("k8s.container.restart_count", Value::Int(restarts.into())));
    }
}

/// `/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log`
fn cri_link(file: &str, attributes: &mut Attributes) {
    let Some(stem) = file.strip_suffix(".log") else { return };
    let mut names = stem.splitn(3, '_');
    let (Some(pod), Some(namespace), Some(rest)) = (names.next(), names.next(), names.next()) else { return };
    let Some((container, id)) = rest.rsplit_once('-').filter(|(_, id)| is_container_id(id)) else { return };
    attributes.push(("k8s.namespace.name", text(namespace)));
    attributes.push(("k8s.pod.name", text(pod)));
    attributes.push(("k8s.container.name", text(container)));
    attributes.push(("container.id", text(id)));
}

fn is_container_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit())
}

fn text(value: &str) -> Value {
    Value::Str(value.to_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(path: &str, name: &str) -> Option<Value> {
        let attributes = of_log(Path::new(path), &Settings::default());
        attributes.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    #[test]
    fn a_kubelet_path_gives_pod_namespace_uid_container_and_restarts() {
        let path = "/var/log/pods/ci_runner-abc_0f1e/build/2.log";
        assert_eq!(value(path, "k8s.namespace.name"), Some(text("ci")));
        assert_eq!(value(path, "k8s.pod.name"), Some(text("runner-abc")));
        assert_eq!(value(path, "k8s.pod.uid"), Some(text("0f1e")));
        assert_eq!(value(path, "k8s.container.name"), Some(text("build")));
        assert_eq!(value(path, "k8s.container.restart_count"), Some(Value::Int(2)));
    }

    #[test]
    fn paths_of_container_runtimes_give_the_container_id() {
        let id = "0123456789abcdef".repeat(4);
        let link = format!("/var/log/containers/runner_ci_my-build-{id}.log");
        assert_eq!(value(&link, "container.id"), Some(text(&id)));
        assert_eq!(value(&link, "k8s.container.name"), Some(text("my-build")));
        let docker = format!("/var/lib/docker/containers/{id}/{id}-json.log");
        assert_eq!(value(&docker, "container.id"), Some(text(&id)));
    }

    #[test]
    fn a_plain_path_gives_the_path_alone() {
        assert_eq!(value("/tmp/build.log", "log.file.path"), Some(text("/tmp/build.log")));
        assert_eq!(value("/tmp/build.log", "k8s.pod.name"), None);
        assert_eq!(value("/tmp/containers/x.log", "container.id"), None);
    }
}
