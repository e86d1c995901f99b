use crate::harness::{Plugin, Server, Site, http_client, logged};
use std::{collections::BTreeMap, time::Duration};

/// Names with their labels, and values. What is no OpenMetrics is found by `cargo xtask ci
/// metrics`.
struct Scraped(BTreeMap<String, f64>);

impl Scraped {
    fn get(&self, name: &str) -> f64 {
        *self.0.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", self.0.keys()))
    }
}

async fn scrape(server: &Server<'_>) -> Scraped {
    logged(server.site, "metrics are served", 1).await;
    let log = server.site.said();
    let address = log.rsplit_once("metrics are served address=").unwrap().1.lines().next().unwrap();
    let answer = http_client().get(format!("http://{address}/metrics")).send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    let text = answer.text().await.unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Scraped(
        lines
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').unwrap();
                (name.to_owned(), value.parse().unwrap())
            })
            .collect(),
    )
}

/// What is told after the first sweep, which goes on when the server answers already; nothing else
/// is to be done then.
async fn swept(server: &Server<'_>) -> Scraped {
    let ready = async {
        loop {
            let seen = scrape(server).await;
            let sweeps = seen.0.get("seatlock_sweeps_total{outcome=\"done\"}");
            if sweeps.is_some_and(|sweeps| *sweeps >= 1.0) && seen.get("seatlock_store_queue") < 1.0 {
                return seen;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ready).await.expect("seats are looked through")
}

fn requests(endpoint: &str, status: u16, code: &str) -> String {
    format!(
        "seatlock_http_requests_total{{method=\"POST\",endpoint=\"{endpoint}\",status=\"{status}\",code=\"{code}\"}}"
    )
}

#[tokio::test]
async fn what_is_counted_is_what_happened() {
    let site = Site::new(&["--seats", "3"]);
    let (seat, token) = site.seat("ada@example.com");
    let limits = ["--metrics-listen", "127.0.0.1:0", "--wrong-token-limit", "1"];
    let server = site.serve_with(&limits);
    let ada = Plugin::new(&token, "a");
    assert_eq!(server.call("activate", &ada).await.status, 201);
    for _ in 0..3 {
        assert_eq!(server.call("ping", &ada).await.status, 200);
    }
    assert_eq!(server.call("status", &ada).await.status, 200);
    assert_eq!(server.call("ping", &Plugin::new("sit_8uVq2Z", "b")).await.status, 400);
    assert_eq!(server.call("ping", &Plugin::new("sit_8uVq2Z", "b")).await.status, 429);
    let http = http_client();
    assert_eq!(http.get(format!("{}/open/not-a-secret", server.url)).send().await.unwrap().status(), 410);
    let odd = http.request("ODD".parse().unwrap(), format!("{}/no/such/page", server.url));
    assert_eq!(odd.send().await.unwrap().status(), 404);

    let seen = swept(&server).await;
    for (name, value) in [
        (requests("/v1/seat/activate", 201, ""), 1.0),
        (requests("/v1/seat/ping", 200, ""), 3.0),
        (requests("/v1/seat/status", 200, "ok"), 1.0),
        (requests("/v1/seat/ping", 400, "token_malformed"), 1.0),
        (requests("/v1/seat/ping", 429, "rate_limited"), 1.0),
        ("seatlock_http_request_duration_seconds_count{endpoint=\"/v1/seat/ping\"}".to_owned(), 5.0),
        ("seatlock_rate_limited_total{limit=\"wrong_token\"}".to_owned(), 1.0),
        (format!("seatlock_seats_in_use{{license=\"{}\"}}", site.license), 1.0),
        (format!("seatlock_seats_max{{license=\"{}\"}}", site.license), 3.0),
        ("seatlock_key_set_sequence".to_owned(), 1.0),
        ("seatlock_database_up".to_owned(), 1.0),
        ("seatlock_database_errors_total".to_owned(), 0.0),
        (format!("seatlock_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1.0),
    ] {
        assert!((seen.get(&name) - value).abs() < f64::EPSILON, "{name} is {}", seen.get(&name));
    }
    assert!(seen.get("process_resident_memory_bytes") > 1e6);
    assert!(seen.get("process_start_time_seconds") > 1.7e9);
    assert!(seen.get("seatlock_connections") >= 1.0);
    // Neither a person, nor a computer, nor a secret, nor whatever somebody asks for is a label.
    let machine = ada.machine.to_string();
    for word in [token.as_str(), "sit_", "ada@example.com", &machine, &seat, "not-a-secret", "such", "ODD"] {
        assert!(!seen.0.keys().any(|name| name.contains(word)), "{word}");
    }

    let mut database = site.database().await;
    sqlx::query("ALTER TABLE license RENAME TO gone").execute(&mut database).await.unwrap();
    assert_eq!(server.call("ping", &ada).await.status, 500);
    let seen = scrape(&server).await;
    assert!(seen.get("seatlock_database_errors_total") >= 1.0);
    assert!(seen.get("seatlock_database_up").abs() < f64::EPSILON);
    assert!(seen.get(&requests("/v1/seat/ping", 500, "server_error")) >= 1.0);
}

#[tokio::test]
async fn without_an_address_nothing_is_told() {
    let site = Site::new(&[]);
    let server = site.serve();
    let answer = http_client().get(format!("{}/metrics", server.url)).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    assert!(!std::fs::read_to_string(site.log()).unwrap().contains("metrics are served"));
}
