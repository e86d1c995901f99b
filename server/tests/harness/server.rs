use super::{Answer, PATIENCE, Plugin, Site, send_signal};
use rustix::process::Signal;
use seatlock_protocol::{UnixTime, api::LeaseAnswer, claims::KeySetClaims, claims::LeaseClaims};
use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

/// A server process on a site.
pub struct Server<'a> {
    pub site: &'a Site,
    pub url: String,
    child: Child,
    /// Lines that it prints.
    stdout: Receiver<String>,
}

impl<'a> Server<'a> {
    /// Starts a program that serves, and waits until it listens.
    pub fn start(site: &'a Site, mut program: Command, options: &[&str]) -> Self {
        let log = File::options().create(true).append(true).open(site.log()).unwrap();
        let mut child = program
            // On a busy computer; whoever tests what becomes of late requests gives them less.
            .env("SEATLOCK_REQUEST_TIMEOUT", "60s")
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "debug"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let printed = BufReader::new(child.stdout.take().unwrap());
        let (line, stdout) = mpsc::channel();
        thread::spawn(move || printed.lines().map_while(Result::ok).try_for_each(|text| line.send(text)));
        site.servers.lock().unwrap().push(child.id());
        // From here on it is stopped whatever happens.
        let mut server = Self { site, url: String::new(), child, stdout };
        let first = server.stdout.recv_timeout(PATIENCE).unwrap_or_default();
        let url = first.strip_prefix("listening on ");
        url.unwrap_or_else(|| panic!("the server does not say where it listens:\n{}", site.said()))
            .clone_into(&mut server.url);
        server
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// One call of a plug-in: `activate`, `ping`, `release`, `status`.
    pub async fn call(&self, call: &str, plugin: &Plugin) -> Answer {
        self.try_call(call, plugin).await.unwrap()
    }

    pub async fn try_call(&self, call: &str, plugin: &Plugin) -> reqwest::Result<Answer> {
        let (nonce, body) = plugin.request();
        let url = format!("{}/v1/seat/{call}", self.url);
        let request = self.site.http.post(url).bearer_auth(&plugin.token).json(&body);
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await?;
        let keys = KeySetClaims {
            iss: String::new(),
            seq: 0,
            iat: UnixTime::MIN,
            keys: Vec::new(),
            revoked: Vec::new(),
        };
        let mut answer = Answer { status, headers, body, nonce, keys };
        if let Some(jws) = serde_json::from_str::<Value>(&answer.body)
            .ok()
            .and_then(|body| body["keyset"].as_str().map(str::to_owned))
        {
            answer.keys = self.site.key_set(&jws);
        }
        Ok(answer)
    }

    /// As [`Self::call`], and keeps what a real client would keep.
    pub async fn lease(&self, call: &str, plugin: &mut Plugin) -> (u16, LeaseClaims) {
        let answer = self.call(call, plugin).await;
        let lease = answer.lease();
        let body: LeaseAnswer = serde_json::from_str(&answer.body).unwrap();
        plugin.renewal = Some(body.renewal);
        plugin.epoch = Some(lease.epoch);
        (answer.status, lease)
    }

    pub fn signal(&self, signal: Signal) {
        send_signal(self.child.id(), signal);
    }

    /// Waits until it has ended.
    pub fn ended(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "the server does not end:\n{}", self.site.said());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops the server in order: it must end well, and everything after its first line is
    /// returned.
    pub fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        assert!(self.ended().success());
        self.stdout.iter().map(|line| line + "\n").collect()
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        // Already stopped in most tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the servers of a site have said `words` so many times.
pub async fn logged(site: &Site, words: &str, times: usize) {
    let begin = Instant::now();
    loop {
        let served = site.is_served() && begin.elapsed() < PATIENCE;
        let said = site.said();
        if said.matches(words).count() >= times {
            return;
        }
        assert!(served, "not {times} times {words:?}:\n{said}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
