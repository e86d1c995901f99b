use super::{OWNER, PRODUCT, RELEASE_WINDOW, SEATS, Secrets, sample};
use seatlock_protocol::PublicKey;
use seatlock_server::crypto::keys::DataFolder;
use serde_json::{Value, json};

/// What somebody needs who tries things out.
pub(super) struct Instructions {
    pub(super) url: String,
    root_key: PublicKey,
    product: String,
    /// The data folder, wherever one is.
    data: String,
    /// The program and its data folder, as they are typed.
    typed: String,
    secrets: Option<Secrets>,
}

impl Instructions {
    pub(super) fn new(
        folder: &DataFolder,
        url: String,
        root_key: PublicKey,
        product: String,
        secrets: Option<Secrets>,
    ) -> anyhow::Result<Self> {
        let data = std::path::absolute(folder.path())?.display().to_string();
        let program = std::env::current_exe()?.display().to_string();
        let typed = format!("{} --data {}", quoted(&program), quoted(&data));
        Ok(Self { url, root_key, product, data, typed, secrets })
    }

    pub(super) fn value(&self) -> Value {
        let secrets = self.secrets.as_ref();
        json!({
            "url": self.url,
            "seat_page": self.page(),
            "new": secrets.is_some(),
            "data": self.data,
            "product": self.product,
            "root_key": self.root_key.jwk_x(),
            "login": { "email": OWNER, "password": secrets.map(|made| made.password.as_str()) },
            "token": secrets.map(|made| made.token.expose_secret()),
            "commands": self.commands(),
        })
    }

    pub(super) fn text(&self) -> String {
        let (password, token) = match &self.secrets {
            Some(Secrets { password, token }) => (
                format!("{}     (shown this once)", **password),
                format!("{}     (of {}; shown this once)", token.expose_secret(), sample::FOR),
            ),
            None => (
                format!("as before; a new one: {}", self.new_password()),
                format!("as before; a new one: {}", self.new_token()),
            ),
        };
        let commands: String = self.commands().iter().map(|command| format!("    {command}\n")).collect();
        format!(
            "seat page  {}\nsign in    {OWNER}\npassword   {password}\nroot key   {}     (to be compiled into the plug-in)\n\
             product    {}\ntoken      {token}\n\nTo activate the C example, in another terminal, in the folder of seatlock's sources:\n\n\
             {commands}\nThe license has {SEATS} seats, one of which may be released every {RELEASE_WINDOW} seconds. Everything is kept in\n\
             {}: the next \"dev\" goes on with it, \"dev --fresh\" begins anew. Ctrl-C stops the server.\n",
            self.page(),
            self.root_key.jwk_x(),
            self.product,
            self.data,
        )
    }

    fn page(&self) -> String {
        format!("{}/seats", self.url)
    }

    fn new_password(&self) -> String {
        format!("{} user password {OWNER}", self.typed)
    }

    fn new_token(&self) -> String {
        format!("{} seat create --email you@example.com", self.typed)
    }

    /// From the sources of the library to an activated plug-in.
    fn commands(&self) -> Vec<String> {
        let mut commands: Vec<String> = [
            "cargo xtask install --debug --prefix target/seatlock",
            "cc -Itarget/seatlock/include examples/c/seatlock_plugin.c examples/c/settings.c -o target/seatlock_plugin \
             -Ltarget/seatlock/lib -lseatlock -Wl,-rpath,\"$PWD/target/seatlock/lib\"",
        ]
        .map(str::to_owned)
        .into();
        commands.push(format!(
            "export EXAMPLE_SERVER={} EXAMPLE_ROOT_KEY={}",
            quoted(&self.url),
            self.root_key.jwk_x()
        ));
        commands.push("export EXAMPLE_STATE_FOLDER=\"$PWD/target/seatlock-state\" EXAMPLE_PROXY=".to_owned());
        if self.product != PRODUCT {
            commands.push(format!("export EXAMPLE_PRODUCT={}", quoted(&self.product)));
        }
        let activate = "target/seatlock_plugin activate -";
        commands.push(match &self.secrets {
            Some(made) => format!("echo {} | {activate}", made.token.expose_secret()),
            // Read from the terminal.
            None => activate.to_owned(),
        });
        commands.push("target/seatlock_plugin status".to_owned());
        commands
    }
}

/// As a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_shell_as_they_are() {
        for (word, typed) in [
            ("/tmp/a-b_c.d", "/tmp/a-b_c.d"),
            ("http://[::1]:8787", "'http://[::1]:8787'"),
            ("/tmp/my data", "'/tmp/my data'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), typed);
            let said = std::process::Command::new("sh").args(["-c", &format!("printf %s {typed}")]).output();
            assert_eq!(said.unwrap().stdout, word.as_bytes());
        }
    }
}
