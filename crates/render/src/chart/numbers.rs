//! Numbers for people.

/// A whole number with its digits in groups of three: `1,234,567`.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of a chart: grouped, with at most two decimals.
pub(crate) fn number(value: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, which is far away"
    )]
    let hundredths = (value.abs() * 100.0).round() as u64;
    let sign = if value < 0.0 && hundredths > 0 { "-" } else { "" };
    let whole = grouped(hundredths / 100);
    match hundredths % 100 {
        0 => format!("{sign}{whole}"),
        rest if rest % 10 == 0 => format!("{sign}{whole}.{}", rest / 10),
        rest => format!("{sign}{whole}.{rest:02}"),
    }
}

/// Ticks from 0 on, at a distance of 1, 2 or 5 times a power of ten, the last at or above `most`; at most about
/// `count` of them. Up to a whole number they are whole: there are no half accounts.
pub(crate) fn ticks(most: f64, count: f64) -> Vec<f64> {
    if most <= 0.0 {
        return vec![0.0, 1.0];
    }
    let rough = most / count;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let step = if most.fract() == 0.0 { step.max(1.0) } else { step };
    let mut ticks = vec![0.0];
    let mut index = 0.0;
    while ticks.last().is_some_and(|last| *last < most) {
        index += 1.0;
        ticks.push(index * step);
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_decimals() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(number(1234.5), "1,234.5");
        assert_eq!(number(0.055), "0.06");
        assert_eq!(number(-3.0), "-3");
    }

    #[test]
    fn ticks_reach_the_largest_value() {
        assert_eq!(ticks(7.0, 5.0), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(ticks(100.0, 5.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(0.0, 5.0), [0.0, 1.0]);
        assert_eq!(ticks(3.0, 6.0), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(ticks(0.5, 5.0), [0.0, 0.1, 0.2, 0.30000000000000004, 0.4, 0.5]);
    }
}
