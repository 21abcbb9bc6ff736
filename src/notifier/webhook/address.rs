//! Decides which addresses a webhook may connect to.
//!
//! Resolving names is left to `resolver`, and connecting to `connection`. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where the packets for an address end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Anywhere in the public network.
    Public,
    /// In the network of this machine. A host may allow it.
    Private(&'static str),
    /// Nowhere that a receiver can be, or at a service of the machine's cloud. Never allowed.
    Never(&'static str),
}

/// The ranges of IPv4 that are not public: the base, the bits of the prefix, and the reach. The
/// first range that contains an address decides.
///
/// They follow the registry of special-purpose addresses of IANA (RFC 6890), and add the addresses
/// at which clouds hand out credentials.
const V4: &[([u8; 4], u32, Reach)] = &[
    ([0, 0, 0, 0], 8, Reach::Never("an address of no network")),
    ([10, 0, 0, 0], 8, Reach::Private("a private address")),
    ([100, 100, 100, 200], 32, Reach::Never(CLOUD)),
    ([100, 64, 0, 0], 10, Reach::Private("a shared address")),
    ([127, 0, 0, 0], 8, Reach::Private("a loopback address")),
    ([168, 63, 129, 16], 32, Reach::Never(CLOUD)),
    ([169, 254, 0, 0], 16, Reach::Never("a link-local address")),
    ([172, 16, 0, 0], 12, Reach::Private("a private address")),
    ([192, 0, 0, 0], 24, Reach::Never("an address of a protocol")),
    ([192, 0, 2, 0], 24, Reach::Never(DOCUMENTATION)),
    ([192, 88, 99, 0], 24, Reach::Never("an address of a relay")),
    ([192, 168, 0, 0], 16, Reach::Private("a private address")),
    (
        [198, 18, 0, 0],
        15,
        Reach::Private("a benchmarking address"),
    ),
    ([198, 51, 100, 0], 24, Reach::Never(DOCUMENTATION)),
    ([203, 0, 113, 0], 24, Reach::Never(DOCUMENTATION)),
    ([224, 0, 0, 0], 4, Reach::Never("a multicast address")),
    (
        [255, 255, 255, 255],
        32,
        Reach::Never("the broadcast address"),
    ),
    ([240, 0, 0, 0], 4, Reach::Never("a reserved address")),
];

/// The same for IPv6, by its eight groups. Everything outside of `2000::/3` is refused at the end.
const V6: &[([u16; 8], u32, Reach)] = &[
    (
        [0, 0, 0, 0, 0, 0, 0, 1],
        128,
        Reach::Private("a loopback address"),
    ),
    (
        [0, 0, 0, 0, 0, 0, 0, 0],
        128,
        Reach::Never("an address of no network"),
    ),
    ([0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0], 32, Reach::Never(CLOUD)),
    (
        [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254],
        128,
        Reach::Never(CLOUD),
    ),
    (
        [0xfc00, 0, 0, 0, 0, 0, 0, 0],
        7,
        Reach::Private("a unique local address"),
    ),
    (
        [0xfe80, 0, 0, 0, 0, 0, 0, 0],
        10,
        Reach::Never("a link-local address"),
    ),
    (
        [0xfec0, 0, 0, 0, 0, 0, 0, 0],
        10,
        Reach::Never("a site-local address"),
    ),
    (
        [0xff00, 0, 0, 0, 0, 0, 0, 0],
        8,
        Reach::Never("a multicast address"),
    ),
    (
        [0x2001, 0, 0, 0, 0, 0, 0, 0],
        23,
        Reach::Never("an address of a protocol"),
    ),
    (
        [0x2001, 0x0db8, 0, 0, 0, 0, 0, 0],
        32,
        Reach::Never(DOCUMENTATION),
    ),
    (
        [0x2002, 0, 0, 0, 0, 0, 0, 0],
        16,
        Reach::Never("an address of a relay"),
    ),
    (
        [0x3ffe, 0, 0, 0, 0, 0, 0, 0],
        16,
        Reach::Never("a reserved address"),
    ),
    (
        [0x3fff, 0, 0, 0, 0, 0, 0, 0],
        20,
        Reach::Never(DOCUMENTATION),
    ),
    ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3, Reach::Public),
    (
        [0, 0, 0, 0, 0, 0, 0, 0],
        0,
        Reach::Never("a reserved address"),
    ),
];

/// Prefixes of IPv6 after which the last 32 bits are an address of IPv4 that the packets reach:
/// mapped addresses (RFC 4291), and those of a translator (RFC 6052).
const EMBEDDED: &[([u16; 8], u32)] = &[
    ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
    ([0x0064, 0xff9b, 0, 0, 0, 0, 0, 0], 96),
];

const CLOUD: &str = "an address of the machine's cloud";
const DOCUMENTATION: &str = "an address of documentation";

/// Returns where the packets for an address end.
pub(super) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let bits = address.to_bits();
    let found = V4.iter().find(|(base, prefix, _)| {
        let differs = bits ^ u32::from_be_bytes(*base);
        differs.leading_zeros() >= *prefix
    });
    found.map_or(Reach::Public, |(_, _, reach)| *reach)
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let [.., high, low] = address.segments();
    let last = Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    if EMBEDDED
        .iter()
        .any(|(base, prefix)| is_within(address, *base, *prefix))
    {
        return reach_v4(last);
    }
    let mut ranges = V6.iter();
    let found = ranges.find(|(base, prefix, _)| is_within(address, *base, *prefix));
    let own = found.map_or(Reach::Public, |(_, _, reach)| *reach);
    match own {
        Reach::Public if is_tunnel(address) => reach_v4(last),
        Reach::Public | Reach::Private(_) | Reach::Never(_) => own,
    }
}

fn is_within(address: Ipv6Addr, base: [u16; 8], prefix: u32) -> bool {
    let differs = address.to_bits() ^ Ipv6Addr::from(base).to_bits();
    differs.leading_zeros() >= prefix
}

/// Returns whether the interface of an address is the end of a tunnel, whose last 32 bits are an
/// address of IPv4 (ISATAP, RFC 5214).
const fn is_tunnel(address: Ipv6Addr) -> bool {
    let [_, _, _, _, high, low, _, _] = address.segments();
    matches!(high, 0 | 0x0200) && low == 0x5efe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Reach {
        reach(address.parse().unwrap())
    }

    #[test]
    fn addresses_of_the_public_network_are_public() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::",
            "2606:4700::1111",
            "2a00:1450:4001:82a::200e",
            "3fff:1000::",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2a00:1450::5efe:1.1.1.1",
        ] {
            assert_eq!(of(address), Reach::Public, "{address}");
        }
    }

    #[test]
    fn addresses_of_the_own_network_are_private() {
        for address in [
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "::1",
            "fc00::",
            "fdff:ffff::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::192.168.0.1",
            "2a00:1450::5efe:10.0.0.1",
            "2a00:1450::200:5efe:127.0.0.1",
        ] {
            assert!(
                matches!(of(address), Reach::Private(_)),
                "{address}: {:?}",
                of(address)
            );
        }
    }

    #[test]
    fn addresses_that_no_receiver_has_are_never_allowed() {
        for address in [
            "0.0.0.0",
            "0.255.255.255",
            "100.100.100.200",
            "168.63.129.16",
            "169.254.0.0",
            "169.254.169.254",
            "192.0.0.1",
            "192.0.0.192",
            "192.0.2.255",
            "192.88.99.1",
            "198.51.100.0",
            "203.0.113.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.255",
            "::",
            "::2",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "1fff::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:101:101::1",
            "3ffe::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(
                matches!(of(address), Reach::Never(_)),
                "{address}: {:?}",
                of(address)
            );
        }
    }
}
