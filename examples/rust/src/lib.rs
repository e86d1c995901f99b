//! A plug-in in Rust for a host that calls C functions. Server and key are compiled in:
//! `EXAMPLE_SERVER=https://license.example.com EXAMPLE_ROOT_KEY=... cargo build`.
//!
//! A host that knows Rust's types (nih-plug, Bevy) uses [`Panel`] itself.

use seatlock::{Client, Consent, EventKind, Intent, LockState, OperationId, Options, Text};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The license part of a plug-in's window. Nothing in it blocks.
pub struct Panel {
    client: Client,
    asked: Option<OperationId>,
}

impl Panel {
    /// Once, when the plug-in is loaded: reads two small files, and sends one ping.
    ///
    /// # Errors
    /// In words for a person.
    pub fn open() -> Result<Self, String> {
        let open = || {
            let mut options = Options::new();
            options.set_product("com.example.bridge")?;
            options.set_server(option_env!("EXAMPLE_SERVER").unwrap_or("https://license.example.com"))?;
            options.add_root_key(option_env!("EXAMPLE_ROOT_KEY").unwrap_or_default())?;
            options.set_terms("2026-01")?;
            options.set_auto_renew(true);
            let client = Client::open(&options)?;
            client.ping(Intent::Launch)?; // its end needs to be shown nowhere
            Ok(Self { client, asked: None })
        };
        open().map_err(|failure: seatlock::Failure| failure.to_string())
    }

    /// Before each drawing, if need be: some nanoseconds.
    pub fn licensed(&self) -> bool {
        self.client.status().is_ok_and(|now| now.lock_state != LockState::Locked)
    }

    /// The button "Activate", with what the user typed and ticked.
    ///
    /// # Errors
    /// What is refused at once, in words for a person.
    pub fn activate(&mut self, token: &str, consent: Consent) -> Result<(), String> {
        let sent = self.client.activate(token, consent);
        self.asked = Some(sent.map_err(|failure| self.client.in_words(failure).to_string())?);
        Ok(())
    }

    /// In a timer of the host: what is to be shown of what the user has asked for.
    pub fn tick(&mut self) -> Option<String> {
        while let Ok(Some(event)) = self.client.next_event(Duration::ZERO) {
            if event.kind == EventKind::Operation && event.operation == self.asked {
                self.asked = None;
                return Some(event.message);
            }
        }
        None
    }

    /// Whether the user waits for an answer.
    pub fn asking(&self) -> bool {
        self.asked.is_some()
    }

    /// The lock state in words.
    pub fn state(&self) -> String {
        self.client.text(Text::Status).ok().flatten().unwrap_or_default()
    }
}

// ---- What the host calls -------------------------------------------------------------------------

static PANEL: Mutex<Option<Panel>> = Mutex::new(None);

/// The plug-in is loaded. 0, or 1 when it is to be shown as unavailable.
#[unsafe(no_mangle)]
pub extern "C" fn bridge_load() -> i32 {
    let opened = Panel::open();
    let failed = opened.is_err();
    *PANEL.lock().unwrap_or_else(PoisonError::into_inner) = opened.ok();
    i32::from(failed)
}

/// Whether it may work: 1 or 0.
#[unsafe(no_mangle)]
pub extern "C" fn bridge_licensed() -> i32 {
    let panel = PANEL.lock().unwrap_or_else(PoisonError::into_inner);
    i32::from(panel.as_ref().is_some_and(Panel::licensed))
}

/// The plug-in is unloaded: the client is closed when it is dropped.
#[unsafe(no_mangle)]
pub extern "C" fn bridge_unload() {
    *PANEL.lock().unwrap_or_else(PoisonError::into_inner) = None;
}
