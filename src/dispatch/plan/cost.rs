//! What a plan costs: segments and pages as rendered, at the prices that the lanes' settings name.

use crate::config::Lane;
use std::collections::BTreeMap;

/// Segments of text messages, or pages of letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Parts {
    /// Of messages that start at once.
    pub first: u64,
    /// Of these and of every next step that may become necessary.
    pub most: u64,
}

impl Parts {
    /// Adds one rendered message.
    pub fn add(&mut self, parts: u32, is_first: bool) {
        self.most += u64::from(parts);
        self.first += if is_first { u64::from(parts) } else { 0 };
    }
}

/// An estimate in one currency, in its minor unit, rounded up.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Cost {
    /// ISO 4217.
    pub currency: String,
    /// If nothing more than the first messages is sent.
    pub least: u64,
    /// If every next step is sent; repeats of calls cost nothing more.
    pub most: u64,
}

/// What a lane takes if it carries all messages of its channel, in the minor unit, rounded up.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LaneCost {
    /// Lane.
    pub lane: String,
    /// The sum.
    #[serde(flatten)]
    pub cost: Cost,
}

/// The estimate by lane, of those that have a price.
pub fn by_lane(lanes: &BTreeMap<String, Lane>, used: &[String], parts: &BTreeMap<&'static str, Parts>) -> Vec<LaneCost> {
    let priced = used.iter().filter_map(|name| Some((name, lanes.get(name).filter(|lane| lane.price_milli > 0)?)));
    let of = |(name, lane): (&String, &Lane)| {
        let parts = parts.get(lane.channel.as_str())?;
        let sum = |n: u64| n.saturating_mul(lane.price_milli).div_ceil(1000);
        let cost = Cost { currency: lane.currency.clone(), least: sum(parts.first), most: sum(parts.most) };
        Some(LaneCost { lane: name.clone(), cost })
    };
    priced.filter_map(of).collect()
}

/// The estimate by currency, each channel at its dearest lane; empty where no lane has a price.
pub fn estimate(lanes: &BTreeMap<String, Lane>, used: &[String], parts: &BTreeMap<&'static str, Parts>) -> Vec<Cost> {
    let mut thousandths: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (channel, parts) in parts {
        let priced =
            used.iter().filter_map(|name| lanes.get(name)).filter(|lane| lane.channel == *channel && lane.price_milli > 0);
        let Some(dearest) = priced.max_by_key(|lane| lane.price_milli) else { continue };
        let (least, most) = thousandths.entry(dearest.currency.clone()).or_default();
        *least = least.saturating_add(parts.first.saturating_mul(dearest.price_milli));
        *most = most.saturating_add(parts.most.saturating_mul(dearest.price_milli));
    }
    let minor = |thousandths: u64| thousandths.div_ceil(1000);
    thousandths.into_iter().map(|(currency, (least, most))| Cost { currency, least: minor(least), most: minor(most) }).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn lane(channel: &str, price_milli: u64) -> Lane {
        toml::from_str(&format!("channel = \"{channel}\"\nurl = \"x\"\nprice_milli = {price_milli}\ncurrency = \"GBP\"")).unwrap()
    }

    #[test]
    fn an_estimate_takes_the_dearest_lane_and_rounds_up() {
        let lanes = BTreeMap::from([
            ("a".to_owned(), lane("sms", 2400)),
            ("b".to_owned(), lane("sms", 2500)),
            ("c".to_owned(), lane("letter", 95_000)),
        ]);
        let parts = BTreeMap::from([("sms", Parts { first: 3, most: 3 }), ("letter", Parts { first: 0, most: 2 })]);
        let used: Vec<String> = lanes.keys().cloned().collect();

        assert_eq!(estimate(&lanes, &used, &parts), [Cost { currency: "GBP".into(), least: 8, most: 198 }]);
        assert_eq!(estimate(&lanes, &[], &parts), []);
        let each: Vec<_> = by_lane(&lanes, &used, &parts).into_iter().map(|l| (l.lane, l.cost.least, l.cost.most)).collect();
        assert_eq!(each, [("a".to_owned(), 8, 8), ("b".to_owned(), 8, 8), ("c".to_owned(), 0, 190)]);
    }
}
