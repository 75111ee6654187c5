//! Which addresses a flow may reach. A script may come from a model, so by default it reaches the public internet
//! only: neither this machine, nor its network, nor a cloud's metadata service, whatever name or notation leads there
//! (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::LazyLock;

use ip_network::IpNetwork;
use url::{Host, Url};

/// What may be reached beyond the public internet.
#[derive(Clone, Debug, Default)]
pub enum AllowPrivate {
    /// Nothing.
    #[default]
    None,
    /// These hosts and networks.
    Only(Vec<Allowed>),
    /// Everything.
    All,
}

/// A host or network that may be reached although it is private.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// A host by name, wherever it leads: `localhost`, `api.internal`.
    Host(String),
    /// Addresses: `127.0.0.1`, `10.1.0.0/16`, `::1`.
    Network(IpNetwork),
}

impl FromStr for Allowed {
    type Err = String;

    /// Reads a host name, an address or a network.
    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Network(IpNetwork::from(address)));
        }
        if text.contains('/') {
            return IpNetwork::from_str_truncate(text)
                .map(Self::Network)
                .map_err(|_| format!("`{text}` is not a network: write it like `10.1.0.0/16`"));
        }
        match Host::parse(text) {
            Ok(Host::Domain(name)) => Ok(Self::Host(name)),
            _ => Err(format!("`{text}` is neither a host, an address nor a network")),
        }
    }
}

/// Why an address is not reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// Checks every address before it is connected to: the one asked for, and each that a redirect leads to.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    allow: AllowPrivate,
}

impl Guard {
    /// A guard that lets this much through.
    pub fn new(allow: AllowPrivate) -> Self {
        Self { allow }
    }

    /// Checks what an URL alone tells. Names are checked when they are resolved: see [`Guard::check_addresses`].
    ///
    /// # Errors
    /// Anything but http and https, credentials in the address, and addresses of private networks.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused(format!("`{}` addresses are not fetched, only http and https", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused("an address with a user name or password in it is not fetched".to_owned()));
        }
        match url.host() {
            None => Err(Refused("the address has no host".to_owned())),
            Some(Host::Domain(_)) => Ok(()),
            Some(Host::Ipv4(address)) => self.check_address(IpAddr::V4(address), None),
            Some(Host::Ipv6(address)) => self.check_address(IpAddr::V6(address), None),
        }
    }

    /// Checks what a name resolved to. One bad address among good ones refuses them all: no honest name has such.
    ///
    /// # Errors
    /// Names the first address that may not be reached.
    pub fn check_addresses(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Refused> {
        addresses.iter().try_for_each(|address| self.check_address(*address, Some(host)))
    }

    fn check_address(&self, address: IpAddr, host: Option<&str>) -> Result<(), Refused> {
        let Some(what) = special(address) else { return Ok(()) };
        if self.allows(address, host) {
            return Ok(());
        }
        let (subject, hint) = match host {
            Some(host) => (format!("`{host}` leads to `{address}`,"), host.to_owned()),
            None => (format!("`{address}` is"), address.to_string()),
        };
        Err(Refused(format!(
            "{subject} {what}, and private networks are not reached; `allow_private = [\"{hint}\"]` under `[http]` in \
             `flow.toml` allows it"
        )))
    }

    fn allows(&self, address: IpAddr, host: Option<&str>) -> bool {
        let plain = embedded(address).map_or(address, IpAddr::V4);
        match &self.allow {
            AllowPrivate::None => false,
            AllowPrivate::All => true,
            AllowPrivate::Only(list) => list.iter().any(|allowed| match allowed {
                Allowed::Host(name) => host.is_some_and(|host| host.trim_end_matches('.').eq_ignore_ascii_case(name)),
                Allowed::Network(network) => network.contains(address) || network.contains(plain),
            }),
        }
    }
}

/// The IANA registries of special-purpose addresses, as far as they are not globally reachable
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>, `…-ipv6-…`), and multicast.
const SPECIAL: [(&str, &str); 25] = [
    ("0.0.0.0/8", "an address of this machine"),
    ("127.0.0.0/8", "an address of this machine"),
    ("10.0.0.0/8", "a private address"),
    ("172.16.0.0/12", "a private address"),
    ("192.168.0.0/16", "a private address"),
    ("169.254.0.0/16", "a link-local address"),
    ("100.64.0.0/10", "a provider's private address"),
    ("192.0.0.0/24", "a reserved address"),
    ("192.88.99.0/24", "a reserved address"),
    ("192.0.2.0/24", "an address for documentation"),
    ("198.51.100.0/24", "an address for documentation"),
    ("203.0.113.0/24", "an address for documentation"),
    ("198.18.0.0/15", "an address for benchmarks"),
    ("224.0.0.0/4", "a multicast address"),
    ("240.0.0.0/4", "a reserved address"),
    ("::1/128", "an address of this machine"),
    ("::/128", "an address of this machine"),
    ("fc00::/7", "a private address"),
    ("fe80::/10", "a link-local address"),
    ("ff00::/8", "a multicast address"),
    // Of the global unicast block: protocol assignments with Teredo, documentation, 6to4, documentation, SRv6.
    ("2001::/23", "a reserved address"),
    ("2001:db8::/32", "an address for documentation"),
    ("2002::/16", "a 6to4 tunnel"),
    ("3fff::/20", "an address for documentation"),
    ("5f00::/16", "a reserved address"),
];

/// What makes an address more than a place on the public internet; none for those that are just that.
fn special(address: IpAddr) -> Option<&'static str> {
    static TABLE: LazyLock<Vec<(IpNetwork, &'static str)>> = LazyLock::new(|| {
        SPECIAL.iter().filter_map(|(network, what)| Some((IpNetwork::from_str(network).ok()?, *what))).collect()
    });
    if let Some(inner) = embedded(address) {
        return special(IpAddr::V4(inner));
    }
    if let Some((_, what)) = TABLE.iter().find(|(network, _)| network.contains(address)) {
        return Some(what);
    }
    match address {
        // Whatever else is not in the block that is given out to the public.
        IpAddr::V6(address) if address.segments()[0] & 0xe000 != 0x2000 => Some("a reserved address"),
        _ => None,
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped (RFC 4291), or translated by NAT64 (RFC 6052).
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0).segments();
    if address.segments().starts_with(&nat64[..6]) {
        let [.., a, b, c, d] = address.octets();
        return Some(Ipv4Addr::new(a, b, c, d));
    }
    address.to_ipv4_mapped()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str) -> Result<(), Refused> {
        Guard::default().check_url(&Url::parse(url).expect("a URL"))
    }

    #[test]
    fn the_table_is_read_whole() {
        for (network, _) in SPECIAL {
            assert!(IpNetwork::from_str(network).is_ok(), "{network}");
        }
    }

    #[test]
    fn private_addresses_are_refused_in_every_notation() {
        let refused = [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            // The same, as the URL standard reads it.
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "127.0.0.1.",
            "①②⑦.0.0.1",
            "[::1]",
            "[::]",
            "[fc00::1]",
            "[fdff::1]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[2001:db8::1]",
            "[3fff::1]",
            "[5f00::1]",
            "[100::1]",
            "[2001::1]",
            "[2001:10::1]",
            "[2002:7f00:1::]",
            "[2002:808:808::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:10.0.0.1]",
            "[::ffff:169.254.169.254]",
            "[::127.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::1]",
            "[fd00:ec2::254]",
        ];
        for host in refused {
            assert!(check(&format!("http://{host}/")).is_err(), "{host} must be refused");
        }
    }

    #[test]
    fn public_addresses_pass() {
        for host in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.1.1",
            "198.17.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "[2606:4700::1111]",
            "[2a00:1450::1]",
            "[2001:4860::8888]",
            "[64:ff9b::8.8.8.8]",
            "[::ffff:8.8.8.8]",
            "example.com",
        ] {
            assert_eq!(check(&format!("https://{host}/")), Ok(()), "{host}");
        }
    }

    #[test]
    fn other_schemes_and_credentials_are_refused() {
        for url in ["ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "data:text/plain,x"] {
            assert!(check(url).is_err(), "{url}");
        }
        assert!(check("https://user@example.com/").is_err());
        assert!(check("https://user:word@example.com/").is_err());
        assert!(check("https://:word@example.com/").is_err());
    }

    #[test]
    fn one_private_address_refuses_the_name() {
        let addresses = ["93.184.216.34".parse().expect("address"), "10.0.0.5".parse().expect("address")];
        let refused = Guard::default().check_addresses("rebind.example", &addresses).expect_err("refused");
        assert!(
            refused.to_string().starts_with("`rebind.example` leads to `10.0.0.5`, a private address"),
            "{refused}"
        );
    }

    #[test]
    fn what_is_allowed_passes_and_nothing_else() {
        let list = ["localhost", "127.0.0.1", "10.1.0.0/16", "[::1]"];
        let list = list.iter().map(|text| text.parse().expect("allowed")).collect();
        let guard = Guard::new(AllowPrivate::Only(list));
        let url = |text: &str| guard.check_url(&Url::parse(text).expect("a URL"));
        assert!(url("http://127.0.0.1:8080/").is_ok());
        assert!(url("http://[::ffff:127.0.0.1]/").is_ok());
        assert!(url("http://10.1.9.9/").is_ok());
        assert!(url("http://[::1]/").is_ok());
        assert!(url("http://10.2.0.1/").is_err());
        assert!(url("http://127.0.0.2/").is_err());
        assert!(guard.check_addresses("LOCALHOST", &["127.0.0.9".parse().expect("address")]).is_ok());
        assert!(guard.check_addresses("other", &["127.0.0.9".parse().expect("address")]).is_err());
        assert!("not a host!".parse::<Allowed>().is_err());
        assert!("10.0.0.0/99".parse::<Allowed>().is_err());
    }
}
