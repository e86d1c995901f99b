use std::ffi::c_void;
use std::ptr;
use windows_sys::Win32::Foundation::GlobalFree;
use windows_sys::Win32::Networking::WinHttp::{
    ERROR_WINHTTP_LOGIN_FAILURE, WINHTTP_ACCESS_TYPE_NO_PROXY, WINHTTP_AUTO_DETECT_TYPE_DHCP,
    WINHTTP_AUTO_DETECT_TYPE_DNS_A, WINHTTP_AUTOPROXY_AUTO_DETECT, WINHTTP_AUTOPROXY_CONFIG_URL,
    WINHTTP_AUTOPROXY_OPTIONS, WINHTTP_CURRENT_USER_IE_PROXY_CONFIG, WINHTTP_PROXY_INFO, WinHttpCloseHandle,
    WinHttpGetIEProxyConfigForCurrentUser, WinHttpGetProxyForUrl, WinHttpOpen,
};

/// What this user's settings of Windows say for `url`: the proxies and the addresses that are
/// reached without one, both as Windows writes them. A setup script, named or found in the network,
/// comes before what is written down, unless `scripts` are not to be asked; `None` is the direct
/// way.
///
/// WinHTTP. Blocks while a script is looked for, for as long as the network likes, so it belongs on
/// a thread of its own.
pub fn system_proxy(url: &str, scripts: bool) -> Option<(String, String)> {
    let mut user = WINHTTP_CURRENT_USER_IE_PROXY_CONFIG::default();
    // SAFETY: `user` is writable.
    if unsafe { WinHttpGetIEProxyConfigForCurrentUser(&raw mut user) } == 0 {
        return None;
    }
    let script = Text(user.lpszAutoConfigUrl);
    let written = (Text(user.lpszProxy), Text(user.lpszProxyBypass));
    let detect = user.fAutoDetect != 0;
    match if scripts && (detect || !script.0.is_null()) { by_script(url, &script, detect) } else { None } {
        Some(found) => found,
        None => pair(&written.0, &written.1),
    }
}

/// What the setup script says; `None` when there is none after all.
fn by_script(url: &str, script: &Text, detect: bool) -> Option<Option<(String, String)>> {
    // SAFETY: the agent's name is NUL-terminated, and the other texts may be null.
    let session = unsafe {
        let agent = windows_sys::w!("seatlock");
        WinHttpOpen(agent, WINHTTP_ACCESS_TYPE_NO_PROXY, ptr::null(), ptr::null(), 0)
    };
    if session.is_null() {
        return None;
    }
    let session = Session(session);
    let url: Vec<u16> = url.encode_utf16().chain([0]).collect();
    let named = !script.0.is_null();
    let mut how = WINHTTP_AUTOPROXY_OPTIONS {
        dwFlags: if detect { WINHTTP_AUTOPROXY_AUTO_DETECT } else { 0 }
            | if named { WINHTTP_AUTOPROXY_CONFIG_URL } else { 0 },
        dwAutoDetectFlags: if detect {
            WINHTTP_AUTO_DETECT_TYPE_DHCP | WINHTTP_AUTO_DETECT_TYPE_DNS_A
        } else {
            0
        },
        lpszAutoConfigUrl: script.0,
        ..Default::default()
    };
    let mut found = WINHTTP_PROXY_INFO::default();
    let mut ask = |how: &WINHTTP_AUTOPROXY_OPTIONS| {
        // SAFETY: the session is open, both texts are NUL-terminated and outlive the call, `found`
        // is writable.
        unsafe {
            WinHttpGetProxyForUrl(session.0, url.as_ptr(), ptr::from_ref(how).cast_mut(), &raw mut found) != 0
        }
    };
    let mut done = ask(&how);
    if !done && std::io::Error::last_os_error().raw_os_error() == Some(ERROR_WINHTTP_LOGIN_FAILURE as i32) {
        // The script's server wants to know who asks. Not asked at first: it costs the cache.
        how.fAutoLogonIfChallenged = 1;
        done = ask(&how);
    }
    let (list, except) = (Text(found.lpszProxy), Text(found.lpszProxyBypass));
    done.then(|| pair(&list, &except))
}

fn pair(list: &Text, except: &Text) -> Option<(String, String)> {
    list.read().map(|list| (list, except.read().unwrap_or_default()))
}

/// A text that WinHTTP has allocated for the caller, or null.
struct Text(*mut u16);

impl Text {
    fn read(&self) -> Option<String> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: it is NUL-terminated.
        let units = unsafe {
            let length = (0..).take_while(|at| *self.0.add(*at) != 0).count();
            std::slice::from_raw_parts(self.0, length)
        };
        Some(String::from_utf16_lossy(units)).filter(|text| !text.trim().is_empty())
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: WinHTTP hands it over, to be freed so, and this is done once.
            unsafe { GlobalFree(self.0.cast()) };
        }
    }
}

struct Session(*mut c_void);

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: it is open, and closed once.
        unsafe { WinHttpCloseHandle(self.0) };
    }
}
