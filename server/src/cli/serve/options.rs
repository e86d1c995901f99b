use super::super::units::{count, duration, level, network, public, socket};
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use seatlock_server::domain::RATE_MAX;
use std::{net::SocketAddr, path::PathBuf};

/// Every one of them may also stand in the configuration file and in a variable, under the same
/// name: `--request-timeout` is `request_timeout` and `SEATLOCK_REQUEST_TIMEOUT`.
#[derive(Args)]
pub(in crate::cli) struct Serve {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", env = "SEATLOCK_LISTEN", default_value = "127.0.0.1:8787", value_parser = socket)]
    pub(in crate::cli) listen: SocketAddr,
    /// Address under which people reach the server; it stands in links that are sent, and pages
    /// live below no path [default: the issuer; where the server listens if that is on this
    /// computer]
    #[arg(long, value_name = "URL", env = "SEATLOCK_PUBLIC_URL", value_parser = public)]
    pub(in crate::cli) public_url: Option<String>,
    /// What people call a product, such as "com.example.bridge=Example Bridge"; it stands on the
    /// page and in e-mail. May be repeated
    #[arg(long, value_name = "PRODUCT=NAME", env = "SEATLOCK_PRODUCT_NAME", value_delimiter = ',',
        value_parser = product_name)]
    pub(super) product_name: Vec<(String, String)>,
    /// Network of the proxies in front of the server, such as 127.0.0.1/32, whose X-Forwarded-For,
    /// X-Request-Id and traceparent are believed; may be repeated
    #[arg(long, value_name = "CIDR", env = "SEATLOCK_TRUSTED_PROXY", value_delimiter = ',', value_parser = network)]
    pub(super) trusted_proxy: Vec<IpNet>,
    /// TLS certificate and those that signed it, in PEM; read again when the file changes, and at
    /// SIGHUP
    #[arg(long, value_name = "FILE", env = "SEATLOCK_TLS_CERTIFICATE")]
    pub(super) tls_certificate: Option<PathBuf>,
    /// Private key of the TLS certificate, in PEM
    #[arg(long, value_name = "FILE", env = "SEATLOCK_TLS_KEY")]
    pub(super) tls_key: Option<PathBuf>,
    /// Address at which Prometheus finds /metrics; not for the public [default: nowhere]
    #[arg(long, value_name = "ADDR", env = "SEATLOCK_METRICS_LISTEN", value_parser = socket)]
    pub(in crate::cli) metrics_listen: Option<SocketAddr>,
    /// What is logged on standard error: error, warn, info, debug
    #[arg(long, value_name = "LEVEL", env = "SEATLOCK_LOG", default_value = "info", value_parser = level)]
    pub(super) log: tracing::Level,
    /// How it is logged
    #[arg(long, value_name = "FORMAT", env = "SEATLOCK_LOG_FORMAT", default_value = "text")]
    pub(super) log_format: LogFormat,
    /// Longest time that a request may take
    #[arg(long, value_name = "TIME", env = "SEATLOCK_REQUEST_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub(super) request_timeout: u64,
    /// How long a connection is kept while its next request does not come, or comes slowly; longer
    /// than a proxy in front keeps it
    #[arg(long, value_name = "TIME", env = "SEATLOCK_IDLE_TIMEOUT", default_value = "65s", value_parser = duration)]
    pub(super) idle_timeout: u64,
    /// Connections that may be open at a time
    #[arg(long, value_name = "N", env = "SEATLOCK_MAX_CONNECTIONS", default_value = "10000",
        value_parser = |text: &str| count(text, 1, 1_000_000))]
    pub(super) max_connections: u32,
    /// Requests of plug-ins with one token in a minute; 0 is no limit
    #[arg(long, value_name = "N", env = "SEATLOCK_TOKEN_LIMIT", default_value = "120", value_parser = limit)]
    pub(super) token_limit: u32,
    /// Requests of plug-ins from one network address in a minute; 0 is no limit
    #[arg(long, value_name = "N", env = "SEATLOCK_ADDRESS_LIMIT", default_value = "6000", value_parser = limit)]
    pub(super) address_limit: u32,
    /// Requests of plug-ins with a wrong token from one network address in a minute; 0 is no limit
    #[arg(long, value_name = "N", env = "SEATLOCK_WRONG_TOKEN_LIMIT", default_value = "60", value_parser = limit)]
    pub(super) wrong_token_limit: u32,
    /// Sender of e-mail, such as "Example Licenses <licenses@example.com>". The mail server's URL,
    /// which holds a password, is read from the variable SEATLOCK_SMTP_URL or a file; without
    /// one no e-mail is sent
    #[arg(long, value_name = "ADDRESS", env = "SEATLOCK_MAIL_FROM")]
    pub(super) mail_from: Option<String>,
    /// File with the mail server's URL, such as smtps://USER:PASSWORD@HOST
    #[arg(long, value_name = "FILE", env = "SEATLOCK_SMTP_URL_FILE")]
    pub(super) smtp_url_file: Option<PathBuf>,
}

/// Lines of the log.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum LogFormat {
    /// For people
    Text,
    /// One JSON object in each line
    Json,
}

fn limit(text: &str) -> Result<u32, String> {
    count(text, 0, RATE_MAX)
}

/// `com.example.bridge=Example Bridge`.
fn product_name(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').map(|(product, name)| (product.trim(), name.trim()));
    let fits = |name: &str| (1..=100).contains(&name.chars().count()) && !name.contains(char::is_control);
    match parts {
        Some((product, name)) if !product.is_empty() && fits(name) => {
            Ok((product.to_owned(), name.to_owned()))
        }
        _ => Err("write PRODUCT=NAME, such as com.example.bridge=Example Bridge".to_owned()),
    }
}
