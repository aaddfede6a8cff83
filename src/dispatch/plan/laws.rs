//! Which profile everybody is told under: by jurisdiction, decided and counted before anything is rendered.

use super::{PlanError, PlanRequest, contents};
use crate::config::ProfileFile;
use crate::dispatch::Office;
use crate::model::profile::Profile;
use crate::model::state::{Content, Route};
use crate::render::check::Rules;
use crate::store::incident::Incident;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use time::{Date, Month};

/// One profile of a plan.
pub struct Law {
    /// What messages under it are checked by.
    pub rules: Rules,
    /// The profile's text, kept by its hash.
    pub text: String,
    /// The plan's routes that can end in `notified` under it, in order of preference.
    pub routes: Vec<Route>,
    /// Whose it is: people by jurisdiction.
    pub people: BTreeMap<String, u64>,
}

/// The profiles under which somebody of the plan is told, by id.
pub struct Laws(BTreeMap<String, Law>);

impl Laws {
    /// Finds each jurisdiction's profile. Refuses people whom no profile governs, and routes that can notify nobody.
    pub fn choose(
        office: &Office,
        incident: &Incident,
        request: &PlanRequest,
        people: Vec<(String, i64)>,
    ) -> Result<Self, PlanError> {
        let named = if request.profiles.is_empty() { vec![incident.profile.clone()] } else { request.profiles.clone() };
        let date = day(request.date);
        let load = |id: &String| ProfileFile::load_in_force(&office.settings.profiles.folder, id, date);
        let files: Vec<ProfileFile> = named.iter().map(load).collect::<Result<_, _>>()?;
        let mut laws = BTreeMap::new();
        let mut ungoverned = Vec::new();
        for (jurisdiction, count) in people {
            let count = u64::try_from(count).unwrap_or(0);
            let file = match request.under.get(&jurisdiction) {
                Some(id) => Some(load(id)?),
                None => closest(&files, &jurisdiction).cloned(),
            };
            let Some(ProfileFile { profile, text }) = file else {
                ungoverned.push((jurisdiction, count));
                continue;
            };
            let id = profile.id.clone();
            let routes = request.routes.iter().copied().filter(|route| notifies(&profile, *route)).collect();
            let law = || Law { rules: Rules::of(&incident.texts, profile), text, routes, people: BTreeMap::new() };
            laws.entry(id).or_insert_with(law).people.insert(jurisdiction, count);
        }
        if !ungoverned.is_empty() {
            return Err(PlanError::Ungoverned { ungoverned, profiles: named });
        }
        let laws = Self(laws);
        laws.check_routes(&request.routes)?;
        Ok(laws)
    }

    /// Nobody would ever count as notified on a route that serves no profile, nor under a profile that no route serves.
    fn check_routes(&self, routes: &[Route]) -> Result<(), PlanError> {
        let idle = routes.iter().copied().find(|route| !self.0.is_empty() && self.all().all(|law| !law.routes.contains(route)));
        if let Some(route) = idle {
            let profiles = self.0.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(PlanError::NeverNotifies { route, profiles });
        }
        match (self.0.iter().find(|(_, law)| law.routes.is_empty()), routes.first()) {
            (Some((id, _)), Some(route)) => Err(PlanError::NeverNotifies { route: *route, profiles: id.clone() }),
            _ => Ok(()),
        }
    }

    /// The profile of a jurisdiction.
    pub fn of(&self, jurisdiction: &str) -> Option<&Law> {
        self.all().find(|law| law.people.contains_key(jurisdiction))
    }

    /// All of them, by id.
    pub fn all(&self) -> impl Iterator<Item = &Law> {
        self.0.values()
    }

    /// As the plan's text says it: what ends a notice, whose it is, and the profile's own text by its hash.
    pub fn table(&self) -> Value {
        let law = |(id, law): (&String, &Law)| {
            let text = hex::encode(Sha256::digest(&law.text));
            let (profile, people) = (&law.rules.profile, &law.people);
            (id.clone(), json!({"closing": profile.closing, "jurisdictions": people, "text": text, "version": profile.version}))
        };
        Value::Object(self.0.iter().map(law).collect::<Map<_, _>>())
    }
}

/// No day at all comes before every law.
fn day((year, month, day): (i32, u8, u8)) -> Date {
    Month::try_from(month).ok().and_then(|month| Date::from_calendar_date(year, month, day).ok()).unwrap_or(Date::MIN)
}

fn closest<'a>(files: &'a [ProfileFile], jurisdiction: &str) -> Option<&'a ProfileFile> {
    let ranked = files.iter().filter_map(|file| Some((file.profile.governs(jurisdiction)?, file)));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, file)| file)
}

/// Whether each step that says everything ends the notice where it arrives: after a text message that arrived and ended
/// nothing, no letter would follow.
fn notifies(profile: &Profile, route: Route) -> bool {
    let mut full = route.channels().iter().filter(|channel| contents::wants(route, **channel) == Content::Full).peekable();
    full.peek().is_some() && full.all(|channel| profile.closes(*channel, Content::Full))
}
