//! From uniform words to the distributions the simulator needs, in integers only.
//!
//! **Intuition.** The same word gives the same sample on every machine, compiler and optimisation
//! level, because nothing here is floating point: logarithms and powers come from tables.
//! **Source.** Inverse distribution functions; the exponential's tail uses that it has no memory
//! (the last of 256 cells is the whole distribution again, `ln 256` further out). Frozen, with
//! vectors.
//! **Upholds.** `inv:pure`.
//! **Not here.** Where words come from (`prf.rs`, `stream.rs`).

use crate::{
    fault::plan::Chance,
    random::tables::{EXP2, NEG_LN},
};

/// Uniform below `n`; 0 for `n` 0. Off from uniform by at most `n` parts in 2^64.
#[must_use]
#[inline]
pub const fn below(word: u64, n: u64) -> u64 {
    ((word as u128 * n as u128) >> 64) as u64
}

/// Uniform in `[low, high]`; `low` if `high < low`.
#[must_use]
pub const fn between(word: u64, low: u64, high: u64) -> u64 {
    match high.saturating_sub(low).checked_add(1) {
        Some(n) => low + below(word, n),
        None => word,
    }
}

/// Whether a chance comes true for this half word.
#[must_use]
#[inline]
pub const fn comes_true(word: u32, chance: Chance) -> bool {
    word < chance.0
}

/// Exponential with mean `mean` (same unit as the result). At most 39 means.
#[must_use]
#[inline]
pub const fn exponential(word: u64, mean: u64) -> u64 {
    let mut rest = word;
    let mut q32 = 0_u64;
    // Seven times at most: afterwards fewer than 8 bits would be left to interpolate with.
    let mut cells = 0;
    while rest >> 56 == 255 && cells < 7 {
        q32 += NEG_LN[255];
        rest <<= 8;
        cells += 1;
    }
    let cell = (rest >> 56) as usize;
    let within = (rest << 8) >> 32;
    q32 += if cell < 255 {
        NEG_LN[cell] + (((NEG_LN[cell + 1] - NEG_LN[cell]) * within) >> 32)
    } else {
        NEG_LN[255]
    };
    let product = (q32 as u128 * mean as u128) >> 32;
    if product > u64::MAX as u128 { u64::MAX } else { product as u64 }
}

/// Log-uniform in `[low, high]`: every doubling is equally likely. 0 counts as 1; `low` if
/// `high <= low`.
#[must_use]
pub const fn log_uniform(word: u64, low: u64, high: u64) -> u64 {
    let low = if low == 0 { 1 } else { low };
    if high <= low {
        return low;
    }
    let (from, to) = (log2_q32(low), log2_q32(high));
    let at = from + (((word >> 32) as u128 * (to - from + 1) as u128) >> 32) as u64;
    let sample = exp2_q32(at);
    if sample < low {
        low
    } else if sample > high {
        high
    } else {
        sample
    }
}

/// Index into `weights`, each as likely as its weight; 0 if they sum to 0.
#[must_use]
pub fn weighted(word: u64, weights: &[u32]) -> usize {
    let sum = weights.iter().map(|weight| u64::from(*weight)).sum();
    let mut at = below(word, sum);
    for (index, weight) in weights.iter().enumerate() {
        match at.checked_sub(u64::from(*weight)) {
            Some(left) => at = left,
            None => return index,
        }
    }
    0
}

/// Binary logarithm of `n` (at least 1) in Q32, rounded down: bit by bit by squaring.
const fn log2_q32(n: u64) -> u64 {
    let whole = n.ilog2();
    // The mantissa in Q63, from 1 up to below 2.
    let mut mantissa = n << (63 - whole);
    let mut result = whole as u64;
    let mut bit = 0;
    while bit < 32 {
        let square = (mantissa as u128 * mantissa as u128) >> 63;
        result <<= 1;
        if square >> 64 == 0 {
            mantissa = square as u64;
        } else {
            mantissa = (square >> 1) as u64;
            result |= 1;
        }
        bit += 1;
    }
    result
}

/// 2 to the power of `q32` (below 64 in Q32), rounded to nearest.
const fn exp2_q32(q32: u64) -> u64 {
    let whole = (q32 >> 32) as u32;
    let cell = ((q32 >> 24) & 0xff) as usize;
    let within = q32 & 0xff_ffff;
    let here = EXP2[cell];
    let next = if cell < 255 { EXP2[cell + 1] } else { 2 << 32 };
    let mantissa = here + (((next - here) * within) >> 24);
    let scaled = ((mantissa as u128) << whole) + (1 << 31);
    let result = scaled >> 32;
    if result > u64::MAX as u128 { u64::MAX } else { result as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::prf::{Prf, RunKey};

    fn words() -> impl Iterator<Item = u64> {
        let prf = Prf::new(RunKey { k0: 7, k1: 9 });
        (0..100_000).map(move |i| prf.hash([i]))
    }

    #[test]
    fn tables_are_what_they_say() {
        let scale = f64::from(u32::MAX) + 1.0;
        for i in 0..256 {
            let x = f64::from(i) / 256.0;
            let i = i as usize;
            assert_eq!(NEG_LN[i], (-(-x).ln_1p() * scale).round() as u64, "NEG_LN[{i}]");
            assert_eq!(EXP2[i], (x.exp2() * scale).round() as u64, "EXP2[{i}]");
        }
    }

    #[test]
    fn uniform_stays_in_range() {
        for word in words() {
            assert!(below(word, 7) < 7);
            assert!((3..=9).contains(&between(word, 3, 9)));
        }
        assert_eq!(below(u64::MAX, 0), 0);
        assert_eq!(between(5, 9, 3), 9);
        assert_eq!(between(u64::MAX, 0, u64::MAX), u64::MAX);
        let mut counts = [0_u32; 7];
        words().for_each(|word| counts[below(word, 7) as usize] += 1);
        assert!(counts.iter().all(|count| (13_700..14_900).contains(count)), "{counts:?}");
    }

    #[test]
    fn exponential_has_its_mean_and_tail() {
        let mean = 1_000_000;
        let all: Vec<u64> = words().map(|word| exponential(word, mean)).collect();
        let average = all.iter().sum::<u64>() / all.len() as u64;
        assert!((990_000..1_010_000).contains(&average), "{average}");
        // Beyond ln 256 means lies one in 256.
        let far = all.iter().filter(|x| **x >= 5_545_177).count();
        assert!((330..450).contains(&far), "{far}");
        assert_eq!(exponential(0, mean), 0);
        assert!(exponential(u64::MAX, mean) < 45 * mean);
        assert_eq!(exponential(u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(exponential(12345, 0), 0);
    }

    #[test]
    fn exponential_rises_with_its_word() {
        let mut last = 0;
        for top in 0..=0xffff_u64 {
            let x = exponential(top << 48, 1 << 32);
            assert!(x >= last, "{top:x}");
            last = x;
        }
    }

    #[test]
    fn log_uniform_covers_every_doubling_alike() {
        let mut doublings = [0_u32; 10];
        for word in words() {
            let x = log_uniform(word, 1024, 1024 * 1024 - 1);
            doublings[x.ilog2() as usize - 10] += 1;
        }
        assert!(doublings.iter().all(|count| (9_500..10_500).contains(count)), "{doublings:?}");
        assert_eq!(log_uniform(u64::MAX, 10, 1000), 1000);
        assert_eq!(log_uniform(0, 10, 1000), 10);
        assert_eq!(log_uniform(1 << 63, 0, 1), 1);
        assert_eq!(log_uniform(1 << 63, 9, 3), 9);
        assert!(log_uniform(u64::MAX, 1, u64::MAX) > u64::MAX / 2);
    }

    #[test]
    fn logarithm_and_power_undo_each_other() {
        for n in [1_u64, 2, 3, 5, 1000, 1 << 20, 999_999_999, u64::from(u32::MAX)] {
            let back = exp2_q32(log2_q32(n));
            assert!(back.abs_diff(n) <= n / 100_000 + 1, "{n} came back as {back}");
        }
    }

    #[test]
    fn weights_are_respected() {
        let mut counts = [0_u32; 4];
        words().for_each(|word| counts[weighted(word, &[1, 0, 2, 1])] += 1);
        assert_eq!(counts[1], 0);
        assert!((48_500..51_500).contains(&counts[2]), "{counts:?}");
        assert_eq!(weighted(9, &[]), 0);
    }

    #[test]
    fn golden_vectors() {
        let mut text = String::new();
        for word in [
            0,
            1 << 55,
            0x8000_0000_0000_0000,
            0xfe12_3456_789a_bcde,
            0xffff_1234_5678_9abc,
            u64::MAX,
        ] {
            use core::fmt::Write as _;
            writeln!(
                text,
                "{word:016x} below {} exponential {} log-uniform {} weighted {}",
                below(word, 1000),
                exponential(word, 1_000_000_000),
                log_uniform(word, 1000, 1_000_000_000),
                weighted(word, &[4, 42, 54]),
            )
            .unwrap();
        }
        expect_test::expect![[r#"
            0000000000000000 below 0 exponential 0 log-uniform 1000 weighted 0
            0080000000000000 below 1 exponential 1956949 log-uniform 1027 weighted 0
            8000000000000000 below 500 exponential 693147180 log-uniform 1000001 weighted 2
            fe123456789abcde below 992 exponential 4901320729 log-uniform 901139413 weighted 2
            ffff123456789abc below 999 exponential 11164122479 log-uniform 999805034 weighted 2
            ffffffffffffffff below 999 exponential 44361419556 log-uniform 1000000000 weighted 2
        "#]]
        .assert_eq(&text);
    }
}
