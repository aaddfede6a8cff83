//! Zones of time: where it may be night for a person whose phone would ring.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Zones of each country and of the subdivisions of large ones, by the names of the IANA database. Where one has several,
/// those furthest apart stand here: who could be in either is let sleep in both.
const ZONES: &str = "\
     AD: Europe/Andorra; AE: Asia/Dubai; AF: Asia/Kabul; AG: America/Antigua; AI: America/Anguilla; AL: Europe/Tirane; AM: \
     Asia/Yerevan; AO: Africa/Luanda; AQ: Antarctica/Palmer Antarctica/McMurdo; AR: America/Argentina/Buenos_Aires; AS: \
     Pacific/Pago_Pago; AT: Europe/Vienna; AU: Australia/Sydney Australia/Brisbane Australia/Perth; AU-ACT AU-NSW AU-TAS \
     AU-VIC: Australia/Sydney; AU-NT: Australia/Darwin; AU-QLD: Australia/Brisbane; AU-SA: Australia/Adelaide; AU-WA: \
     Australia/Perth; AW: America/Aruba; AX: Europe/Mariehamn; AZ: Asia/Baku; BA: Europe/Sarajevo; BB: America/Barbados; BD: \
     Asia/Dhaka; BE: Europe/Brussels; BF: Africa/Ouagadougou; BG: Europe/Sofia; BH: Asia/Bahrain; BI: Africa/Bujumbura; BJ: \
     Africa/Porto-Novo; BL: America/St_Barthelemy; BM: Atlantic/Bermuda; BN: Asia/Brunei; BO: America/La_Paz; BQ: \
     America/Kralendijk; BR: America/Noronha America/Rio_Branco; BS: America/Nassau; BT: Asia/Thimphu; BV: Europe/Oslo; BW: Africa/Gaborone; BY: \
     Europe/Minsk; BZ: America/Belize; CA: America/St_Johns America/Vancouver; CA-AB CA-NT: America/Edmonton; CA-BC: \
     America/Vancouver America/Edmonton; CA-MB: America/Winnipeg; CA-NB CA-NS CA-PE: America/Halifax; CA-NL: America/St_Johns \
     America/Halifax; CA-ON CA-NU: America/Toronto America/Winnipeg; CA-QC: America/Toronto America/Halifax; CA-SK: \
     America/Regina America/Edmonton; CA-YT: America/Whitehorse; CC: Indian/Cocos; CD: Africa/Kinshasa Africa/Lubumbashi; CF: \
     Africa/Bangui; CG: Africa/Brazzaville; CH: Europe/Zurich; CI: Africa/Abidjan; CK: Pacific/Rarotonga; CL: Pacific/Easter \
     America/Santiago America/Coyhaique; CM: Africa/Douala; CN: Asia/Urumqi Asia/Shanghai; CO: America/Bogota; CR: \
     America/Costa_Rica; CU: America/Havana; CV: Atlantic/Cape_Verde; CW: America/Curacao; CX: Indian/Christmas; CY: \
     Asia/Nicosia; CZ: Europe/Prague; DE: Europe/Berlin; DJ: Africa/Djibouti; DK: Europe/Copenhagen; DM: America/Dominica; DO: \
     America/Santo_Domingo; DZ: Africa/Algiers; EC: Pacific/Galapagos America/Guayaquil; EE: Europe/Tallinn; EG: Africa/Cairo; \
     EH: Africa/El_Aaiun; ER: Africa/Asmara; ES: Atlantic/Canary Europe/Madrid; ET: Africa/Addis_Ababa; FI: Europe/Helsinki; \
     FJ: Pacific/Fiji; FK: Atlantic/Stanley; FM: Pacific/Chuuk Pacific/Pohnpei; FO: Atlantic/Faroe; FR: Europe/Paris; GA: \
     Africa/Libreville; GB: Europe/London; GD: America/Grenada; GE: Asia/Tbilisi; GF: America/Cayenne; GG: Europe/Guernsey; GH: \
     Africa/Accra; GI: Europe/Gibraltar; GL: America/Godthab America/Danmarkshavn America/Thule; GM: Africa/Banjul; GN: \
     Africa/Conakry; GP: America/Guadeloupe; GQ: Africa/Malabo; GR: Europe/Athens; GS: Atlantic/South_Georgia; GT: \
     America/Guatemala; GU: Pacific/Guam; GW: Africa/Bissau; GY: America/Guyana; HK: Asia/Hong_Kong; HM: Indian/Kerguelen; HN: America/Tegucigalpa; \
     HR: Europe/Zagreb; HT: America/Port-au-Prince; HU: Europe/Budapest; ID: Asia/Jakarta Asia/Jayapura; IE: Europe/Dublin; IL: \
     Asia/Jerusalem; IM: Europe/Isle_of_Man; IN: Asia/Kolkata; IO: Indian/Chagos; IQ: Asia/Baghdad; IR: Asia/Tehran; IS: \
     Atlantic/Reykjavik; IT: Europe/Rome; JE: Europe/Jersey; JM: America/Jamaica; JO: Asia/Amman; JP: Asia/Tokyo; KE: \
     Africa/Nairobi; KG: Asia/Bishkek; KH: Asia/Phnom_Penh; KI: Pacific/Tarawa Pacific/Kiritimati; KM: Indian/Comoro; KN: \
     America/St_Kitts; KP: Asia/Pyongyang; KR: Asia/Seoul; KW: Asia/Kuwait; KY: America/Cayman; KZ: Asia/Almaty; LA: \
     Asia/Vientiane; LB: Asia/Beirut; LC: America/St_Lucia; LI: Europe/Vaduz; LK: Asia/Colombo; LR: Africa/Monrovia; LS: \
     Africa/Maseru; LT: Europe/Vilnius; LU: Europe/Luxembourg; LV: Europe/Riga; LY: Africa/Tripoli; MA: Africa/Casablanca; MC: \
     Europe/Monaco; MD: Europe/Chisinau; ME: Europe/Podgorica; MF: America/Marigot; MG: Indian/Antananarivo; MH: \
     Pacific/Majuro; MK: Europe/Skopje; ML: Africa/Bamako; MM: Asia/Yangon; MN: Asia/Hovd Asia/Ulaanbaatar; MO: Asia/Macau; MP: \
     Pacific/Saipan; MQ: America/Martinique; MR: Africa/Nouakchott; MS: America/Montserrat; MT: Europe/Malta; MU: \
     Indian/Mauritius; MV: Indian/Maldives; MW: Africa/Blantyre; MX: America/Tijuana America/Cancun; MY: Asia/Kuala_Lumpur; MZ: \
     Africa/Maputo; NA: Africa/Windhoek; NC: Pacific/Noumea; NE: Africa/Niamey; NF: Pacific/Norfolk; NG: Africa/Lagos; NI: \
     America/Managua; NL: Europe/Amsterdam; NO: Europe/Oslo; NP: Asia/Kathmandu; NR: Pacific/Nauru; NU: Pacific/Niue; NZ: \
     Pacific/Auckland Pacific/Chatham; OM: Asia/Muscat; PA: America/Panama; PE: America/Lima; PF: Pacific/Tahiti \
     Pacific/Gambier; PG: Pacific/Port_Moresby Pacific/Bougainville; PH: Asia/Manila; PK: Asia/Karachi; PL: Europe/Warsaw; PM: \
     America/Miquelon; PN: Pacific/Pitcairn; PR: America/Puerto_Rico; PS: Asia/Gaza; PT: Atlantic/Azores Europe/Lisbon; PW: \
     Pacific/Palau; PY: America/Asuncion; QA: Asia/Qatar; RE: Indian/Reunion; RO: Europe/Bucharest; RS XK: Europe/Belgrade; RU: \
     Europe/Kaliningrad Asia/Kamchatka; RW: Africa/Kigali; SA: Asia/Riyadh; SB: Pacific/Guadalcanal; SC: Indian/Mahe; SD: \
     Africa/Khartoum; SE: Europe/Stockholm; SG: Asia/Singapore; SH: Atlantic/St_Helena; SI: Europe/Ljubljana; SJ: \
     Arctic/Longyearbyen; SK: Europe/Bratislava; SL: Africa/Freetown; SM: Europe/San_Marino; SN: Africa/Dakar; SO: \
     Africa/Mogadishu; SR: America/Paramaribo; SS: Africa/Juba; ST: Africa/Sao_Tome; SV: America/El_Salvador; SX: \
     America/Lower_Princes; SY: Asia/Damascus; SZ: Africa/Mbabane; TC: America/Grand_Turk; TD: Africa/Ndjamena; TF: \
     Indian/Kerguelen; TG: Africa/Lome; TH: Asia/Bangkok; TJ: Asia/Dushanbe; TK: Pacific/Fakaofo; TL: Asia/Dili; TM: \
     Asia/Ashgabat; TN: Africa/Tunis; TO: Pacific/Tongatapu; TR: Europe/Istanbul; TT: America/Port_of_Spain; TV: \
     Pacific/Funafuti; TW: Asia/Taipei; TZ: Africa/Dar_es_Salaam; UA: Europe/Kiev; UG: Africa/Kampala; UM: Pacific/Midway \
     Pacific/Wake; US: America/New_York Pacific/Honolulu America/Adak; US-AK: America/Anchorage America/Adak; US-AL US-AR US-IA \
     US-IL US-LA US-MN US-MO US-MS US-OK US-WI: America/Chicago; US-AS: Pacific/Pago_Pago; US-AZ: America/Phoenix \
     America/Denver; US-CA US-NV US-WA: America/Los_Angeles; US-CO US-MT US-NM US-UT US-WY: America/Denver; US-CT US-DC US-DE \
     US-GA US-MA US-MD US-ME US-NC US-NH US-NJ US-NY US-OH US-PA US-RI US-SC US-VA US-VT US-WV: America/New_York; US-FL US-IN \
     US-KY US-MI US-TN: America/New_York America/Chicago; US-GU US-MP: Pacific/Guam; US-HI: Pacific/Honolulu; US-ID US-OR: \
     America/Denver America/Los_Angeles; US-KS US-ND US-NE US-SD US-TX: America/Chicago America/Denver; US-PR US-VI: \
     America/Puerto_Rico; UY: America/Montevideo; UZ: Asia/Samarkand; VA: Europe/Vatican; VC: America/St_Vincent; VE: \
     America/Caracas; VG: America/Tortola; VI: America/St_Thomas; VN: Asia/Ho_Chi_Minh; VU: Pacific/Efate; WF: Pacific/Wallis; \
     WS: Pacific/Apia; YE: Asia/Aden; YT: Indian/Mayotte; ZA: Africa/Johannesburg; ZM: Africa/Lusaka; ZW: Africa/Harare";

static BY_PLACE: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let entries = ZONES.split("; ").filter_map(|entry| entry.split_once(": "));
    entries.flat_map(|(places, zones)| places.split(' ').map(move |place| (place, zones.split(' ').collect()))).collect()
});

/// The zone of whoever lives nowhere that is known.
const NOWHERE: &str = "UTC";

/// Zones of a place: of the subdivision, or else of its country.
fn of_place(place: &str) -> Option<&'static [&'static str]> {
    let country = place.split('-').next().unwrap_or_default();
    BY_PLACE.get(place).or_else(|| BY_PLACE.get(country)).map(Vec::as_slice)
}

/// Zones in which it may be night for a person: of the jurisdiction where they live, and of the country of their number
/// where that is another one.
pub fn zones(jurisdiction: &str, number_country: Option<&str>) -> Vec<String> {
    let lives_in = jurisdiction.split('-').next().unwrap_or_default();
    let other = number_country.filter(|country| *country != lives_in);
    let places = std::iter::once(jurisdiction).chain(other);
    let zones: BTreeSet<&str> = places.filter_map(of_place).flatten().copied().collect();
    if zones.is_empty() { vec![NOWHERE.to_owned()] } else { zones.into_iter().map(str::to_owned).collect() }
}

/// Every zone that a person may have.
pub fn every_zone() -> BTreeSet<&'static str> {
    BY_PLACE.values().flatten().copied().chain([NOWHERE]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::contact::is_country;

    #[test]
    fn a_person_is_let_sleep_where_they_live_and_where_their_number_is_from() {
        assert_eq!(zones("GB", Some("GB")), ["Europe/London"]);
        assert_eq!(zones("GB", None), ["Europe/London"]);
        assert_eq!(zones("GB", Some("FR")), ["Europe/London", "Europe/Paris"]);
        assert_eq!(zones("US-CA", Some("US")), ["America/Los_Angeles"]);
        assert_eq!(zones("US", Some("US")), ["America/Adak", "America/New_York", "Pacific/Honolulu"]);
        assert_eq!(zones("GB-SCT", Some("GB")), ["Europe/London"]);
        assert_eq!(zones("", None), ["UTC"]);
    }

    #[test]
    fn every_country_has_a_zone() {
        let without: Vec<String> = ('A'..='Z')
            .flat_map(|a| ('A'..='Z').map(move |b| format!("{a}{b}")))
            .filter(|code| is_country(code) && of_place(code).is_none())
            .collect();
        assert_eq!(without, Vec::<String>::new());
    }
}
