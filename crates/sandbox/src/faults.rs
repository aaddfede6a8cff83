//! Which faults fire: a function of seed, provider, reference and request number, so that a run can be repeated.

use crate::config::{FaultKind, ProviderConfig};
use sha2::{Digest, Sha256};

/// The configured fault of `kind`, if it fires; with its duration in ms.
pub(crate) fn fires(seed: u64, name: &str, provider: &ProviderConfig, reference: &str, request: u32, kind: FaultKind) -> Option<u64> {
    let fault = provider.faults.iter().find(|f| f.kind == kind)?;
    let digest = Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(name)
        .chain_update(reference)
        .chain_update(request.to_be_bytes())
        .chain_update(format!("{kind:?}"))
        .finalize();
    let draw = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) % 1000;
    (draw < fault.per_mille).then_some(fault.ms)
}
