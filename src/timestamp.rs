//! Points in time as RFC 3339 writes them, always UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// To the second: `2006-01-02T15:04:05Z`.
#[must_use]
pub fn seconds(time: SystemTime) -> String {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}Z", date_time(since_epoch))
}

/// To the nanosecond, without trailing zeros: `2006-01-02T15:04:05.25Z`.
#[must_use]
pub fn nanoseconds(time: SystemTime) -> String {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = format!(".{:09}", since_epoch.subsec_nanos());
    format!("{}{}Z", date_time(since_epoch), fraction.trim_end_matches('0').trim_end_matches('.'))
}

fn date_time(since_epoch: Duration) -> String {
    let (day, second) = (since_epoch.as_secs() / 86_400, since_epoch.as_secs() % 86_400);
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// The Gregorian date of a day counted from 1970-01-01.
///
/// Years are counted from March, so that the leap day is the last day of a year; 400 such years have 146 097 days.
fn civil(day: u64) -> (u64, u64, u64) {
    let from_march_of_year_0 = day + 719_468;
    let (era, day_of_era) = (from_march_of_year_0 / 146_097, from_march_of_year_0 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, nanos: u32) -> SystemTime {
        UNIX_EPOCH + Duration::new(seconds, nanos)
    }

    #[test]
    fn dates_agree_with_date_1() {
        for (second, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_136_214_245, "2006-01-02T15:04:05Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(seconds(at(second, 999)), text);
        }
    }

    #[test]
    fn fractions_lose_their_trailing_zeros() {
        assert_eq!(nanoseconds(at(0, 0)), "1970-01-01T00:00:00Z");
        assert_eq!(nanoseconds(at(0, 250_000_000)), "1970-01-01T00:00:00.25Z");
        assert_eq!(nanoseconds(at(1, 1)), "1970-01-01T00:00:01.000000001Z");
    }
}
