//! SHA-3 by hand (FIPS 202), for the one length the crypto library lacks. Hashes what users send in; never keys.

const ROUNDS: [u64; 24] = round_constants();

/// SHA-3 with `N` bytes of output: 28, 32, 48 or 64.
pub(crate) fn sha3<const N: usize>(data: &[u8]) -> [u8; N] {
    let rate = 200 - 2 * N;
    let mut state = [0u64; 25];
    let mut blocks = data.chunks_exact(rate);
    for block in &mut blocks {
        absorb(&mut state, block);
        permute(&mut state);
    }
    // Section 6.1 and B.2: the suffix 01, then the padding 10*1.
    let mut last = [0u8; 200];
    let rest = blocks.remainder();
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] ^= 0x06;
    last[rate - 1] ^= 0x80;
    absorb(&mut state, &last[..rate]);
    permute(&mut state);
    let mut out = [0; N];
    for (place, lane) in out.chunks_mut(8).zip(state) {
        place.copy_from_slice(&lane.to_le_bytes()[..place.len()]);
    }
    out
}

fn absorb(state: &mut [u64; 25], block: &[u8]) {
    for (at, byte) in block.iter().enumerate() {
        state[at / 8] ^= u64::from(*byte) << (8 * (at % 8));
    }
}

/// `Keccak-f[1600]`, section 3.3; lane (x, y) is at x + 5 y.
fn permute(state: &mut [u64; 25]) {
    for constant in ROUNDS {
        theta(state);
        let moved = rho_and_pi(state);
        for y in 0..5 {
            for x in 0..5 {
                state[x + 5 * y] = moved[x + 5 * y] ^ (!moved[(x + 1) % 5 + 5 * y] & moved[(x + 2) % 5 + 5 * y]);
            }
        }
        state[0] ^= constant;
    }
}

fn theta(state: &mut [u64; 25]) {
    let mut column = [0u64; 5];
    for (at, lane) in state.iter().enumerate() {
        column[at % 5] ^= lane;
    }
    for (at, lane) in state.iter_mut().enumerate() {
        *lane ^= column[(at + 4) % 5] ^ column[(at + 1) % 5].rotate_left(1);
    }
}

/// Offsets by the rule of section 3.2.2, step by step along the path of pi.
fn rho_and_pi(state: &[u64; 25]) -> [u64; 25] {
    let mut moved = *state;
    let (mut x, mut y) = (1, 0);
    for t in 0..24u32 {
        let (to_x, to_y) = (y, (2 * x + 3 * y) % 5);
        moved[to_x + 5 * to_y] = state[x + 5 * y].rotate_left((t + 1) * (t + 2) / 2);
        (x, y) = (to_x, to_y);
    }
    moved
}

/// Section 3.2.5: bits 2^j - 1 of each constant come from a linear feedback shift register.
const fn round_constants() -> [u64; 24] {
    let mut all = [0u64; 24];
    let mut register = 1u8;
    let mut round = 0;
    while round < 24 {
        let mut j = 0;
        while j < 7 {
            if register & 1 == 1 {
                all[round] |= 1 << ((1u32 << j) - 1);
            }
            register = (register << 1) ^ (0x71 * (register >> 7));
            j += 1;
        }
        round += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::sha3;
    use aws_lc_rs::digest::{SHA3_256, SHA3_384, SHA3_512, digest};

    /// The library is the model for the lengths it has: same sponge, other rate.
    #[test]
    fn agrees_with_the_library_at_every_length() {
        let data: Vec<u8> = (0..=255).cycle().take(450).collect();
        for length in 0..data.len() {
            let data = &data[..length];
            assert_eq!(sha3::<32>(data), digest(&SHA3_256, data).as_ref(), "{length}");
            assert_eq!(sha3::<48>(data), digest(&SHA3_384, data).as_ref(), "{length}");
            assert_eq!(sha3::<64>(data), digest(&SHA3_512, data).as_ref(), "{length}");
        }
    }

    /// FIPS 202 examples: the empty message.
    #[test]
    fn empty_message() {
        assert_eq!(hex::encode(sha3::<28>(b"")), "6b4e03423667dbb73b6e15454f0eb1abd4597f9a1b078e3f5b5a6bc7");
    }
}
