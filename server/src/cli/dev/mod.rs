/// The folder: what is in it, and whether it may be deleted.
mod folder;
/// What is printed.
mod instructions;
/// Seats as they look after some days of work.
mod sample;

use super::config::{Variables, with_variables};
use super::init::{root_key, set_up};
use super::output::Output;
use super::serve::Serve;
use anyhow::{Context as _, bail, ensure};
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser};
use folder::ExistingFolder;
use instructions::Instructions;
use seatlock_protocol::Token;
use seatlock_server::crypto::keys::DataFolder;
use seatlock_server::crypto::password::{Passwords, generate};
use seatlock_server::domain::{License, Role};
use seatlock_server::store::{Actor, AddUser, ChangeLicense, NewUser, ServerInfo, Store};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use uuid::Uuid;
use zeroize::Zeroizing;

const PRODUCT: &str = "com.example.bridge";
const PORT: u16 = 8787;
const SEATS: u32 = 5;
/// Who signs in on the seat page.
const OWNER: &str = "owner@example.com";
/// Nobody who tries things out waits a day for the next release.
const RELEASE_WINDOW: u64 = 60;

#[derive(Args)]
pub(super) struct Dev {
    /// Address of this computer to listen on; port 0 takes a free one [default: 127.0.0.1:8787, or
    /// as the last time]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Product of the plug-in [default: com.example.bridge, or as the last time]
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    /// Delete what an earlier "dev" has made in the folder, and begin anew
    #[arg(long)]
    fresh: bool,
}

/// What is shown once, when the folder is made.
struct Secrets {
    password: Zeroizing<String>,
    token: Token,
}

impl Dev {
    pub(super) async fn run(self, folder: DataFolder, output: Output) -> anyhow::Result<()> {
        if let Some(other) = self.listen.filter(|listen| !listen.ip().is_loopback()) {
            bail!(
                "{other} can be reached from other computers, and this server is for trying out only. Listen on 127.0.0.1, \
                 or set a real one up with: init"
            );
        }
        let kept = if self.fresh {
            folder::clear(&folder).await?;
            None
        } else {
            folder::kept(&folder).await?
        };
        let (address, words) = match kept {
            Some(kept) => self.go_on(&folder, kept)?,
            None => self.begin(&folder).await?,
        };
        output.done(&words.value(), &words.text())?;
        serve(address, &words.url)?.run(folder).await
    }

    async fn begin(&self, folder: &DataFolder) -> anyhow::Result<(SocketAddr, Instructions)> {
        let product = self.product.clone().unwrap_or_else(|| PRODUCT.to_owned());
        ensure!(
            !product.is_empty() && product.len() <= 255 && !product.contains(char::is_whitespace),
            "\"{}\" is not the name of a product: 1 to 255 bytes without blanks",
            product.escape_debug()
        );
        // Before anything is made that would stay behind.
        if let Some(file) = folder.root_key_beside().filter(|file| file.exists()) {
            bail!("{} is there already, and belongs to another folder; move it away", file.display());
        }
        let address = free(self.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, PORT).into()))?;
        let url = format!("http://{address}");
        folder.create()?;
        let (root, _) = root_key(folder, None, None).context("nothing was set up")?;
        folder::mark(folder, root.public())?;
        let server =
            ServerInfo { issuer: url.clone(), root_key: root.public(), documentation: None, support: None };
        let license = License {
            products: vec![product.clone()],
            seats_max: SEATS,
            // So that the sample that was released stands in nobody's way.
            release_window: 1,
            ..License::usual(Uuid::new_v4(), Uuid::new_v4(), false)
        };
        let account = "Example Studio".to_owned();
        let (store, _) = set_up(folder, None, &root, server, (account, license.clone())).await?;
        let made = make(&store, folder, license).await;
        store.close().await;
        let secrets = made.context("the samples were not made; begin anew with --fresh")?;
        Ok((address, Instructions::new(folder, url, root.public(), product, Some(secrets))?))
    }

    fn go_on(&self, folder: &DataFolder, kept: ExistingFolder) -> anyhow::Result<(SocketAddr, Instructions)> {
        let ExistingFolder { issuer, root_key, product } = kept;
        let (path, fresh) = (folder.path().display(), "or begin anew with --fresh");
        let address: Option<SocketAddr> =
            issuer.strip_prefix("http://").and_then(|address| address.parse().ok());
        let address =
            address.with_context(|| format!("{path} is for {issuer}; name another --data, {fresh}"))?;
        // The plug-ins that were tried out know the server by its address.
        if let Some(other) = self.listen.filter(|other| *other != address) {
            bail!("{path} was made for {address}, not for {other}; leave --listen out, {fresh}");
        }
        if let Some(other) = self.product.as_ref().filter(|other| **other != product) {
            bail!("{path} was made for {product}, not for {other}; leave --product out, {fresh}");
        }
        Ok((free(address)?, Instructions::new(folder, issuer, root_key, product, None)?))
    }
}

/// The address, with the port that is taken, if it can be listened on.
fn free(wanted: SocketAddr) -> anyhow::Result<SocketAddr> {
    let tried = TcpListener::bind(wanted).and_then(|listener| listener.local_addr());
    tried.with_context(|| {
        format!("{wanted} cannot be listened on: is this server running already? Name another with --listen")
    })
}

async fn make(store: &Store, folder: &DataFolder, license: License) -> anyhow::Result<Secrets> {
    let password = generate()?;
    let hash = Passwords::new().hash(password.clone()).await?;
    let (id, email, account) = (Uuid::new_v4(), OWNER.to_owned(), license.account);
    let owner = NewUser { id, account, email, role: Role::Owner, password: hash };
    store.run(AddUser(owner, Actor::Console)).await?;
    let token = sample::seats(store, &*folder.pepper()?, &license).await?;
    let now = sample::license(store, license.id).await?;
    let usual = License { release_window: RELEASE_WINDOW, ..now.clone() };
    store.run(ChangeLicense { old: now, new: usual, by: Actor::Console }).await?;
    Ok(Secrets { password, token })
}

/// `serve`, as if it had been typed. Of what variables say only that holds which is about e-mail:
/// the others mean a real server.
fn serve(address: SocketAddr, url: &str) -> anyhow::Result<Serve> {
    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        serve: Serve,
    }
    let address = address.to_string();
    let typed = ["serve", "--listen", &address, "--public-url", url];
    let mail = ["mail_from", "smtp_url_file"];
    let command = Typed::command()
        .mut_args(|arg| if mail.contains(&arg.get_id().as_str()) { arg } else { arg.env(None::<&str>) });
    let variables = Variables::read(&command, &ArgMatches::default())?;
    let command = with_variables(command, &variables);
    Ok(Typed::from_arg_matches(&command.try_get_matches_from(typed)?)?.serve)
}
