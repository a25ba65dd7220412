//! Tests of the settings, with an environment that is a table.

use super::*;

type Vars = &'static [(&'static str, &'static str)];

fn env(vars: Vars) -> impl Fn(&str) -> Option<String> {
    move |name| vars.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned())
}

fn resolve(explicit: &Explicit, vars: Vars) -> Result<Resolved, SettingsError> {
    Settings::resolve(explicit, env(vars))
}

#[track_caller]
fn on(explicit: &Explicit, vars: Vars) -> Settings {
    match resolve(explicit, vars) {
        Ok(Resolved::On(settings)) => *settings,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn error(explicit: &Explicit, vars: Vars) -> SettingsError {
    resolve(explicit, vars).expect_err("it is wrong")
}

fn at(endpoint: &str) -> Explicit {
    Explicit { endpoint: Some(endpoint.to_owned()), ..Explicit::default() }
}

fn urls(settings: &Settings) -> (String, String) {
    let url = |signal: &Option<SignalSettings>| signal.as_ref().map(|it| it.url.to_string()).unwrap_or_default();
    (url(&settings.traces), url(&settings.logs))
}

fn traces(settings: Settings) -> SignalSettings {
    settings.traces.unwrap()
}

#[test]
fn without_an_endpoint_anywhere_nothing_is_exported() {
    assert_eq!(resolve(&Explicit::default(), &[]), Ok(Resolved::Off(Off::NoEndpoint)));
    assert_eq!(resolve(&at(""), &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), Ok(Resolved::Off(Off::NoEndpoint)));
    assert_eq!(resolve(&Explicit::default(), &[("OTEL_TRACES_EXPORTER", "otlp")]), Ok(Resolved::Off(Off::NoEndpoint)));
}

#[test]
fn the_endpoint_of_the_configuration_wins_over_that_of_the_signal_and_that_over_the_general_one() {
    const VARS: Vars = &[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4318/as/it/is"),
    ];
    let general_and_own = ("http://traces:4318/as/it/is".to_owned(), "http://general:4318/v1/logs".to_owned());
    assert_eq!(urls(&on(&Explicit::default(), VARS)), general_and_own);
    let own = ("http://own:4318/v1/traces".to_owned(), "http://own:4318/v1/logs".to_owned());
    assert_eq!(urls(&on(&at("http://own:4318"), VARS)), own);
}

#[test]
fn a_base_url_gets_the_path_of_the_signal_after_its_own() {
    for base in ["http://h:4318/otlp", "http://h:4318/otlp/"] {
        assert_eq!(urls(&on(&at(base), &[])).0, "http://h:4318/otlp/v1/traces");
    }
    assert_eq!(urls(&on(&at("https://h/?tenant=a"), &[])).1, "https://h/v1/logs?tenant=a");
    const ROOT: Vars = &[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://h:4318")];
    assert_eq!(urls(&on(&Explicit::default(), ROOT)), (String::new(), "http://h:4318/".to_owned()));
}

#[test]
fn a_signal_is_exported_alone_when_only_it_has_an_endpoint_or_the_other_is_switched_off() {
    const ONE: Vars = &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://h:4318/v1/traces")];
    assert!(on(&Explicit::default(), ONE).logs.is_none());
    assert!(on(&at("http://h:4318"), &[("OTEL_LOGS_EXPORTER", "none")]).logs.is_none());
    assert!(on(&at("http://h:4318"), &[("OTEL_TRACES_EXPORTER", "none")]).traces.is_none());
    assert!(on(&Explicit { logs: Some(false), ..at("http://h:4318") }, &[]).logs.is_none());
    // gobeacon's own key wins over the standard variable
    let explicit = Explicit { logs: Some(true), ..at("http://h:4318") };
    assert!(on(&explicit, &[("OTEL_LOGS_EXPORTER", "none")]).logs.is_some());
    const NONE: Vars = &[("OTEL_TRACES_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];
    assert_eq!(resolve(&at("http://h:4318"), NONE), Ok(Resolved::Off(Off::NoSignal)));
}

#[test]
fn the_switch_of_the_sdk_turns_everything_off_and_only_true_is_true() {
    for text in ["true", "TRUE", " True "] {
        let off =
            Settings::resolve(&at("http://h:4318"), |name| (name == "OTEL_SDK_DISABLED").then(|| text.to_owned()));
        assert_eq!(off, Ok(Resolved::Off(Off::SdkDisabled)));
    }
    for vars in [&[("OTEL_SDK_DISABLED", "1")] as Vars, &[("OTEL_SDK_DISABLED", "false")], &[("OTEL_SDK_DISABLED", "")]]
    {
        on(&at("http://h:4318"), vars);
    }
}

#[test]
fn the_protocol_is_grpc_on_its_port_and_http_elsewhere_unless_something_names_it() {
    let protocol = |endpoint: &str, vars: Vars| traces(on(&at(endpoint), vars)).protocol;
    assert_eq!(protocol("http://h:4317", &[]), Protocol::Grpc);
    assert_eq!(protocol("h:4317", &[]), Protocol::Grpc);
    assert_eq!(protocol("http://h:4318", &[]), Protocol::HttpProtobuf);
    assert_eq!(protocol("https://h", &[]), Protocol::HttpProtobuf);
    assert_eq!(protocol("http://h:4317", &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]), Protocol::HttpProtobuf);
    const BOTH: Vars =
        &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")];
    assert_eq!(protocol("http://h:4318", BOTH), Protocol::Grpc);
    let explicit = Explicit { protocol: Some(Protocol::HttpProtobuf), ..at("http://h:4317") };
    assert_eq!(traces(on(&explicit, BOTH)).protocol, Protocol::HttpProtobuf);
}

#[test]
fn a_grpc_endpoint_without_scheme_is_tls_unless_insecure_and_a_scheme_decides_itself() {
    let url = |endpoint: &str, vars: Vars| {
        traces(on(&Explicit { protocol: Some(Protocol::Grpc), ..at(endpoint) }, vars)).url.to_string()
    };
    const INSECURE: Vars = &[("OTEL_EXPORTER_OTLP_INSECURE", "true")];
    assert_eq!(url("h:4317", &[]), "https://h:4317/");
    assert_eq!(url("h:4317", INSECURE), "http://h:4317/");
    assert_eq!(url("localhost:4317", INSECURE), "http://localhost:4317/");
    assert_eq!(url("[::1]:4317", INSECURE), "http://[::1]:4317/");
    assert_eq!(url("https://h:4317", INSECURE), "https://h:4317/");
    assert_eq!(url("http://h:4317/", &[]), "http://h:4317/");
    const OWN: Vars = &[("OTEL_EXPORTER_OTLP_INSECURE", "true"), ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "false")];
    assert_eq!(url("h:4317", OWN), "https://h:4317/");
}

#[test]
fn headers_come_from_one_source_and_are_percent_decoded() {
    const VARS: Vars = &[
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=general"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", " Authorization=Basic%20dTpw%3D%3D , x-two = b=c,"),
    ];
    let settings = on(&at("http://h:4318"), VARS);
    let (traces, logs) = (settings.traces.unwrap(), settings.logs.unwrap());
    let expected = [("authorization", "Basic dTpw=="), ("x-two", "b=c")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(traces.headers, BTreeMap::from(expected));
    assert_eq!(logs.headers, BTreeMap::from([("a".to_owned(), "general".to_owned())]));

    let mut explicit = at("http://h:4318");
    explicit.header_files.insert("Authorization".to_owned(), "/run/token".into());
    let own = self::traces(on(&explicit, VARS));
    assert!(own.headers.is_empty());
    assert_eq!(own.header_files, BTreeMap::from([("authorization".to_owned(), PathBuf::from("/run/token"))]));
}

#[test]
fn user_info_of_an_endpoint_becomes_a_header_unless_one_is_given_and_leaves_the_protocol_to_the_port() {
    for (endpoint, protocol, url) in [
        ("https://user:p%40w@h:4317", Protocol::Grpc, "https://h:4317/"),
        ("user:p%40w@h:4317", Protocol::Grpc, "https://h:4317/"),
        ("https://user:p%40w@h:4318", Protocol::HttpProtobuf, "https://h:4318/v1/traces"),
    ] {
        let settings = traces(on(&at(endpoint), &[]));
        assert_eq!((settings.protocol, settings.url.as_str()), (protocol, url));
        // of `user:p@w`
        let expected = BTreeMap::from([("authorization".to_owned(), "Basic dXNlcjpwQHc=".to_owned())]);
        assert_eq!(settings.headers, expected);
        assert!(!format!("{settings:?}").contains("dXNlcjpwQHc"), "{settings:?}");
    }
    const VARS: Vars = &[("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=own")];
    assert_eq!(traces(on(&at("https://u:p@h:4317"), VARS)).headers["authorization"], "own");
    let mut explicit = at("https://u:p@h:4317");
    explicit.header_files.insert("authorization".to_owned(), "/run/token".into());
    assert!(traces(on(&explicit, &[])).headers.is_empty());
}

#[test]
fn compression_timeout_and_tls_follow_the_same_precedence() {
    const VARS: Vars = &[
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/client.pem"),
        ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/traces.key"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/client.key"),
    ];
    let settings = on(&at("https://h"), VARS);
    let (traces, logs) = (settings.traces.unwrap(), settings.logs.unwrap());
    assert_eq!((traces.compression, logs.compression), (Compression::None, Compression::Gzip));
    assert_eq!(traces.timeout, Duration::from_millis(1500));
    assert_eq!(traces.tls.certificate, Some("/ca.pem".into()));
    assert_eq!(traces.tls.client, Some(("/client.pem".into(), "/traces.key".into())));
    assert_eq!(logs.tls.client, Some(("/client.pem".into(), "/client.key".into())));
    let explicit = Explicit { timeout: Some(Duration::from_secs(3)), ..at("https://h") };
    assert_eq!(self::traces(on(&explicit, VARS)).timeout, Duration::from_secs(3));
    let plain = self::traces(on(&at("https://h"), &[]));
    assert_eq!((plain.timeout, plain.compression), (Duration::from_secs(10), Compression::Gzip));
}

#[test]
fn resource_attributes_are_kept_apart_from_the_service_name() {
    const VARS: Vars =
        &[("OTEL_RESOURCE_ATTRIBUTES", "service.name=listed,deployment.environment.name=ci%2Cprod,k8s.cluster.name=a")];
    let settings = on(&at("http://h"), VARS);
    let expected = [("deployment.environment.name", "ci,prod"), ("k8s.cluster.name", "a")];
    assert_eq!(settings.resource, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    assert_eq!(settings.service_name.as_deref(), Some("listed"));
    const NAMED: Vars = &[("OTEL_SERVICE_NAME", "named"), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=listed")];
    assert_eq!(on(&at("http://h"), NAMED).service_name.as_deref(), Some("named"));
}

#[test]
fn what_is_wrong_is_said_with_its_name() {
    let table: &[(&str, Vars, &str)] = &[
        ("h:4318", &[], "otlp.endpoint has no scheme"),
        ("ftp://h", &[], "otlp.endpoint has a scheme that is not known"),
        ("http://", &[], "otlp.endpoint is not a URL"),
        ("http://h/#x", &[], "otlp.endpoint has a fragment"),
        ("http://h", &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")], "OTEL_EXPORTER_OTLP_PROTOCOL http/json is not"),
        (
            "http://h",
            &[("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "x")],
            "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL is not a protocol",
        ),
        ("http://h/p", &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "otlp.endpoint has a path"),
        ("http://h", &[("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")], "OTEL_EXPORTER_OTLP_TIMEOUT is not a number of milli"),
        ("http://h", &[("OTEL_EXPORTER_OTLP_TIMEOUT", "0")], "OTEL_EXPORTER_OTLP_TIMEOUT is 0"),
        (
            "http://h",
            &[("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd")],
            "OTEL_EXPORTER_OTLP_COMPRESSION is not a compression",
        ),
        (
            "http://h",
            &[("OTEL_EXPORTER_OTLP_HEADERS", "secret")],
            "OTEL_EXPORTER_OTLP_HEADERS has a member without `=`",
        ),
        ("http://h", &[("OTEL_EXPORTER_OTLP_HEADERS", "a b=c")], "OTEL_EXPORTER_OTLP_HEADERS has a header whose name"),
        ("http://h", &[("OTEL_EXPORTER_OTLP_HEADERS", "a=%0A")], "OTEL_EXPORTER_OTLP_HEADERS has a header whose value"),
        ("http://h", &[("OTEL_EXPORTER_OTLP_HEADERS", "a=%4")], "OTEL_EXPORTER_OTLP_HEADERS is not percent-encoded"),
        ("http://h", &[("OTEL_EXPORTER_OTLP_HEADERS", "a=%+4")], "OTEL_EXPORTER_OTLP_HEADERS is not percent-encoded"),
        ("http://h", &[("OTEL_EXPORTER_OTLP_HEADERS", "host=a")], "OTEL_EXPORTER_OTLP_HEADERS sets a header that the"),
        ("http://h", &[("OTEL_RESOURCE_ATTRIBUTES", "a")], "OTEL_RESOURCE_ATTRIBUTES has a member without `=`"),
        ("http://h", &[("OTEL_TRACES_EXPORTER", "zipkin")], "OTEL_TRACES_EXPORTER names an exporter"),
        (
            "http://h",
            &[("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/k")],
            "otlp.client_key (or OTEL_EXPORTER_OTLP_CLIENT_KEY) has no",
        ),
    ];
    for (endpoint, vars, expected) in table {
        let said = error(&at(endpoint), vars).to_string();
        assert!(said.starts_with(expected) && !said.contains("SECRET"), "{endpoint} {vars:?}: {said}");
    }
    let small = Explicit { queue_bytes: Some(10), ..at("http://h") };
    assert_eq!(error(&small, &[]).name, "otlp.queue_bytes");
}

#[test]
fn no_secret_shows_in_debug_or_errors() {
    const VARS: Vars = &[("OTEL_EXPORTER_OTLP_HEADERS", "authorization=SECRET")];
    let mut explicit = at("https://user:SECRET@h/path?key=SECRET");
    let settings = on(&explicit, VARS);
    let shown = format!("{settings:?} {}", settings.traces.as_ref().unwrap().shown_url());
    assert!(shown.contains("https://h/path/v1/traces") && !shown.contains("SECRET"), "{shown}");

    explicit.headers.insert("authorization".to_owned(), "SECRET\n".to_owned());
    let shown = format!("{explicit:?} {} {:?}", error(&explicit, &[]), error(&explicit, &[]));
    assert!(shown.contains("https://h/path") && !shown.contains("SECRET"), "{shown}");
}

#[test]
fn what_is_shown_of_a_url_holds_no_secret_however_odd_it_is() {
    for (url, shown) in [
        ("http://h:1/p?q=SECRET#SECRET", "http://h:1/p"),
        ("http://u:SECRET@h:1", "http://h:1"),
        ("u:SECRET@h:1", "h:1"),
        ("http://u:SECRET/SECRET@h/", "http://(redacted)"),
        ("http://u:S?ECRET@h", "http://(redacted)"),
        ("http://h/?a=SECRET@SECRET", "http://(redacted)"),
        ("http://h", "http://h"),
        ("", ""),
    ] {
        assert_eq!(redacted_text(url), shown, "{url}");
    }
}
