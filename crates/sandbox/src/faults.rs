//! Which faults fire: a function of seed, provider, reference and request number, so that a run can be repeated.

use crate::account::Account;
use crate::config::{FaultKind, ProviderConfig, Requests};
use std::sync::Arc;

/// The fault plan of one request; asking it whether a fault fires counts the fault.
#[derive(Clone)]
pub(crate) struct FaultPlan {
    pub account: Arc<Account>,
    pub settings: Arc<ProviderConfig>,
    request: u32,
    draw: u64,
}

impl FaultPlan {
    pub(crate) fn new(seed: u64, account: Arc<Account>, settings: Arc<ProviderConfig>, reference: &str, request: u32) -> Self {
        let text = account.name.bytes().chain([0]).chain(reference.bytes());
        let draw = text.fold(mix(seed), |hash, byte| mix(hash ^ u64::from(byte)));
        Self { account, settings, request, draw: mix(draw ^ u64::from(request)) }
    }

    /// The duration of the fault in ms, if it fires.
    pub(crate) fn fires(&self, kind: FaultKind) -> Option<u64> {
        let concerned = self.settings.faults.iter().filter(|fault| fault.kind == kind && self.concerns(fault.on));
        let drawn = mix(self.draw ^ kind as u64) % 1000;
        concerned
            .into_iter()
            .find(|fault| drawn < u64::from(fault.per_mille) && self.account.count_fault(kind, fault.times))
            .map(|fault| fault.ms)
    }

    fn concerns(&self, on: Requests) -> bool {
        match on {
            Requests::Every => true,
            Requests::First => self.request == 1,
            Requests::Repeat => self.request > 1,
        }
    }
}

/// The finaliser of SplitMix64: cheap, and every bit of the input reaches every bit of the result.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Fault;

    fn plan(seed: u64, reference: &str, faults: Vec<Fault>) -> FaultPlan {
        let settings = Arc::new(ProviderConfig { faults, ..ProviderConfig::default() });
        FaultPlan::new(seed, Arc::new(Account::new("sms-a", settings.clone())), settings, reference, 1)
    }

    #[test]
    fn a_fault_fires_about_as_often_as_its_plan_says_and_the_same_for_the_same_seed() {
        let fault = || vec![Fault { per_mille: 100, ..Fault::always(FaultKind::Reject) }];
        let fired =
            |seed| (0..10_000).filter(|i| plan(seed, &format!("{i:032x}"), fault()).fires(FaultKind::Reject).is_some()).count();

        assert!((850..1150).contains(&fired(1)), "{}", fired(1));
        assert_eq!(fired(1), fired(1));
        assert_ne!(fired(1), fired(2));
    }

    #[test]
    fn a_fault_with_a_number_fires_that_often() {
        let plan = plan(1, "a", vec![Fault::once(FaultKind::Hang)]);

        assert_eq!(plan.fires(FaultKind::Hang), Some(0));
        assert_eq!(plan.fires(FaultKind::Hang), None);
        assert_eq!(plan.account.faults().get(&FaultKind::Hang), Some(&1));
    }
}
