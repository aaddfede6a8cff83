//! Which faults fire: a function of seed, provider, reference and request number, so that a run can be repeated.

use crate::account::Account;
use crate::config::{Fault, FaultKind, ProviderConfig, Requests};
use std::sync::Arc;

/// The fault plan of one request; asking it whether a fault fires counts the fault.
#[derive(Clone)]
pub(crate) struct FaultPlan {
    pub account: Arc<Account>,
    pub settings: Arc<ProviderConfig>,
    request: u32,
    draw: u64,
    /// What the message is called.
    names: Vec<String>,
}

impl FaultPlan {
    pub(crate) fn new(seed: u64, account: Arc<Account>, settings: Arc<ProviderConfig>, reference: &str, request: u32) -> Self {
        let text = account.name.bytes().chain([0]).chain(reference.bytes());
        let draw = text.fold(mix(seed), |hash, byte| mix(hash ^ u64::from(byte)));
        Self { account, settings, request, draw: mix(draw ^ u64::from(request)), names: vec![reference.to_owned()] }
    }

    /// The same of a message that has further names.
    pub(crate) fn called(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.names.extend(names);
        self
    }

    /// The duration of the fault in ms, if it fires.
    pub(crate) fn fires(&self, kind: FaultKind) -> Option<u64> {
        let concerned = self.settings.faults.iter().filter(|fault| fault.kind == kind && self.concerns(fault));
        let drawn = mix(self.draw ^ kind as u64) % 1000;
        concerned
            .into_iter()
            .find(|fault| drawn < u64::from(fault.per_mille) && self.account.count_fault(fault))
            .map(|fault| fault.ms)
    }

    fn concerns(&self, fault: &Fault) -> bool {
        let is_request = match fault.on {
            Requests::Every => true,
            Requests::First => self.request == 1,
            Requests::Repeat => self.request > 1,
        };
        is_request && fault.of.as_ref().is_none_or(|name| self.names.contains(name))
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

    #[test]
    fn a_fault_of_one_message_fires_for_it_alone_and_is_counted_for_it() {
        let faults = vec![Fault::once(FaultKind::Hang).of("+441"), Fault::once(FaultKind::Hang).of("+442")];
        let first = plan(1, "a", faults.clone()).called(["+441".to_owned()]);
        let second = FaultPlan { names: vec!["b".into(), "+442".into()], ..first.clone() };
        let third = FaultPlan { names: vec!["c".into()], ..first.clone() };

        let fired = |plan: &FaultPlan| plan.fires(FaultKind::Hang).is_some();
        assert_eq!([&first, &first, &second, &third, &second].map(fired), [true, false, true, false, false]);
        assert_eq!(["+441", "+442", "c"].map(|name| first.account.faults_of(FaultKind::Hang, name)), [1, 1, 0]);
        assert_eq!(first.account.faults().get(&FaultKind::Hang), Some(&2));
    }
}
