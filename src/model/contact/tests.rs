use super::*;

fn raw() -> RawPerson {
    RawPerson {
        external_reference: "PN1".into(),
        first_name: "Siân".into(),
        last_name: "O'Brien-Ŵyn".into(),
        phone: "07400 123456".into(),
        address: vec!["1 Heol y Bont".into()],
        town: "Aberystwyth".into(),
        postcode: "sy232ax".into(),
        ..RawPerson::default()
    }
}

fn abroad(lines: &[&str], town: &str, postcode: &str, country: &str) -> RawPerson {
    let address = lines.iter().map(|l| (*l).to_owned()).collect();
    RawPerson { address, town: town.into(), postcode: postcode.into(), country: country.into(), phone: String::new(), ..raw() }
}

fn record(raw: &RawPerson) -> PersonRecord {
    PersonRecord::check(raw).unwrap().record
}

fn codes(raw: &RawPerson) -> Vec<&'static str> {
    PersonRecord::check(raw).map(|_| Vec::new()).unwrap_or_else(|faults| faults.iter().map(|f| f.code).collect())
}

#[test]
fn a_real_person_is_taken_and_normalised() {
    let person = record(&raw());

    assert_eq!(person.phone.as_deref(), Some("+447400123456"));
    assert_eq!(person.address_block(), ["Siân O'Brien-Ŵyn", "1 Heol y Bont", "Aberystwyth", "SY23 2AX"]);
    assert_eq!((person.language.as_str(), person.format.as_str(), person.jurisdiction.as_str()), ("en", "standard", "GB"));
    assert_eq!(format!("{person:?}"), "PersonRecord(…)");
}

#[test]
fn all_faults_of_a_row_are_named_at_once_and_no_value_is() {
    let bad = RawPerson {
        external_reference: " ".into(),
        phone: "12".into(),
        postcode: "NOPE".into(),
        language: "!".into(),
        jurisdiction: "ATLANTIS".into(),
        ..raw()
    };

    assert_eq!(
        codes(&bad),
        ["missing_reference", "invalid_phone", "invalid_postcode", "unknown_language", "unknown_jurisdiction"]
    );
}

#[test]
fn real_names_are_not_refused() {
    let long = "Llanfairpwll-Featherstonehaugh-Cholmondeley-Majoribanks-Wynn"; // 60 characters
    for name in ["O", "Null", "Nguyễn", "Ελένη", "محمد", "D’Souza", "van der Berg", "X Æ A-12", "张伟", long] {
        let one_word = RawPerson { first_name: String::new(), last_name: name.into(), ..raw() };
        assert_eq!(record(&one_word).name, name);
    }
    assert_eq!(codes(&RawPerson { first_name: "-".into(), last_name: ".".into(), ..raw() }), ["missing_name"]);
    assert_eq!(codes(&RawPerson { last_name: "Ren\u{fffd}e".into(), ..raw() }), ["broken_text"]);
}

#[test]
fn text_is_one_spelling_without_what_nobody_sees() {
    assert_eq!(clean(" Sia\u{302}n\t\u{202e}O'Brien\u{200b}\u{feff} "), "Siân O'Brien");
    assert_eq!(clean("\u{301}Ann\u{0}a"), "Anna");
    assert_eq!(clean("a\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}").chars().count(), 5);
    // A joiner shapes a Persian word, and is litter between Latin letters.
    assert_eq!(clean("می\u{200c}خواهم"), "می\u{200c}خواهم");
    assert_eq!(clean("An\u{200d}na"), "Anna");
}

#[test]
fn phones_follow_libphonenumber_and_nothing_is_guessed() {
    let phone = |text: &str, country: &str| {
        let place = if country.is_empty() { raw() } else { abroad(&["1 Main Street"], "Town", "1000", country) };
        PersonRecord::check(&RawPerson { phone: text.into(), ..place }).map(|c| c.record.phone.unwrap()).map_err(|f| f[0].code)
    };
    for text in [
        "07400 123456",
        "+44 (0)7400 123456",
        "0044 7400 123456",
        "7400123456",
        "07400-123-456",
        "٠٧٤٠٠١٢٣٤٥٦",
        "０７４００１２３４５６",
    ] {
        assert_eq!(phone(text, "").as_deref(), Ok("+447400123456"), "{text}");
    }
    assert_eq!(phone("085 123 4567", "IE").as_deref(), Ok("+353851234567"));
    assert_eq!(phone("06 12 34 56 78", "France").as_deref(), Ok("+33612345678"));
    assert_eq!(phone("+1 202 555 0143", "").as_deref(), Ok("+12025550143"));
    for text in ["12", "07400 12345", "4.4E+11", "none", "07400 123456 / 07400 123457", "+999 123456789"] {
        assert_eq!(phone(text, ""), Err("invalid_phone"), "{text}");
    }
}

#[test]
fn a_zero_that_belongs_to_the_number_is_not_forgotten() {
    let italian = |text: &str| {
        PersonRecord::check(&RawPerson { phone: text.into(), ..raw() }).map(|c| (c.record.phone.unwrap(), c.takes_texts))
    };

    assert_eq!(italian("+39 347 123 4567").unwrap(), ("+393471234567".to_owned(), true));
    assert_eq!(italian("+39 06 6988 4857").unwrap(), ("+390669884857".to_owned(), false));
    assert_eq!(italian("+39 0347 123 4567").unwrap_err()[0].code, "invalid_phone");
}

#[test]
fn what_a_number_takes_is_the_same_once_it_is_stored() {
    for text in
        ["07400 123456", "020 7219 3000", "+39 347 123 4567", "+39 06 6988 4857", "+1 202 555 0143", "+33 6 12 34 56 78", ""]
    {
        let checked = PersonRecord::check(&RawPerson { phone: text.into(), ..raw() }).unwrap();
        assert_eq!(checked.record.takes_texts(), checked.takes_texts, "{text}");
    }
}

#[test]
fn a_landline_alone_reaches_nobody_by_text() {
    let landline = RawPerson { phone: "020 7219 3000".into(), ..raw() };
    let alone =
        RawPerson { address: Vec::new(), town: String::new(), postcode: String::new(), phone: "020 7219 3000".into(), ..raw() };

    assert!(!PersonRecord::check(&landline).unwrap().takes_texts);
    assert_eq!(codes(&alone), ["phone_takes_no_texts"]);
    assert_eq!(codes(&RawPerson { phone: String::new(), ..alone }), ["no_way_to_reach"]);
}

#[test]
fn uk_postcodes_are_known_by_their_shape() {
    for (written, normal) in [
        ("m1 1ae", "M1 1AE"),
        ("B338TH", "B33 8TH"),
        ("CR2 6XH", "CR2 6XH"),
        ("DN55 1PT", "DN55 1PT"),
        ("w1a 0ax", "W1A 0AX"),
        ("EC1A1BB", "EC1A 1BB"),
        ("GIR 0AA", "GIR 0AA"),
        ("BF1 2AS", "BF1 2AS"),
        ("FIQQ 1ZZ", "FIQQ 1ZZ"),
        ("JE2 3QA", "JE2 3QA"),
        ("bfpo 58", "BFPO 58"),
    ] {
        let person = record(&RawPerson { postcode: written.into(), ..raw() });
        assert_eq!(person.address_block().last().unwrap(), normal);
    }
    for wrong in ["SWIA 1AA", "SW1A 1A", "12345", "LS1 4AC", "SY23", "ABCDE 1AA", "ÉC1A 1BB"] {
        assert_eq!(codes(&RawPerson { postcode: wrong.into(), ..raw() }), ["invalid_postcode"], "{wrong}");
    }
    assert_eq!(codes(&RawPerson { postcode: String::new(), ..raw() }), ["missing_postcode"]);
}

#[test]
fn a_uk_address_may_be_written_in_many_ways() {
    let in_one_cell = RawPerson {
        address: vec!["Flat 2,\n1 High Street,\r\nLeeds\nLS1 4AP\nUK".into()],
        town: String::new(),
        postcode: String::new(),
        ..raw()
    };
    assert_eq!(record(&in_one_cell).address.unwrap(), ["Flat 2", "1 High Street", "Leeds", "LS1 4AP"]);

    let forces = RawPerson {
        address: vec!["1 Mercian".into(), "BFPO 58".into()],
        town: String::new(),
        postcode: String::new(),
        country: "BFPO".into(),
        ..raw()
    };
    assert_eq!(record(&forces).address.unwrap(), ["1 Mercian", "BFPO 58"]);
    assert_eq!(codes(&RawPerson { country: "DE".into(), phone: String::new(), ..forces }), ["bfpo_with_country"]);
    assert_eq!(codes(&RawPerson { address: vec!["-".into()], town: String::new(), ..raw() }), ["address_too_short"]);
}

#[test]
fn addresses_abroad_end_with_the_name_of_their_country() {
    let paris = record(&abroad(&["1 rue de l’Église"], "Lyon", "69001", "fr"));
    assert_eq!(paris.address_block(), ["Siân O'Brien-Ŵyn", "1 rue de l’Église", "Lyon", "69001", "FRANCE"]);
    assert_eq!(paris.jurisdiction, "FR");
    for (written, name) in [
        ("Éire", "IRELAND"),
        ("U.S.A.", "UNITED STATES OF AMERICA"),
        ("Türkiye", "TURKEY"),
        ("Viet Nam", "VIETNAM"),
        ("Côte d’Ivoire", "IVORY COAST"),
    ] {
        assert_eq!(record(&abroad(&["1 Main Street"], "Town", "", written)).address.unwrap().last().unwrap(), name);
    }
    assert_eq!(codes(&abroad(&["1 Main Street"], "Town", "", "Atlantis")), ["unknown_country"]);
    assert_eq!(codes(&abroad(&[], "", "1000", "BE")), ["address_too_short"]);
}

#[test]
fn no_fixed_abode_is_told_apart_from_a_bad_address() {
    let homeless = RawPerson { address: vec!["No Fixed Abode".into()], town: String::new(), postcode: String::new(), ..raw() };
    let by_code = RawPerson { postcode: "ZZ99 3VZ".into(), ..homeless };
    let care_of = RawPerson {
        address: vec!["NFA".into(), "c/o Northmere Hostel".into()],
        town: "Leeds".into(),
        postcode: "LS1 4AP".into(),
        ..raw()
    };

    assert_eq!(record(&by_code).address, None);
    assert_eq!(codes(&RawPerson { phone: String::new(), ..by_code }), ["no_fixed_abode"]);
    assert_eq!(record(&care_of).address.unwrap(), ["c/o Northmere Hostel", "Leeds", "LS1 4AP"]);
}

#[test]
fn every_block_fits_the_window_or_its_row_is_quarantined() {
    let town = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch";
    let welsh = RawPerson { town: town.into(), postcode: "LL61 5UJ".into(), ..raw() };
    let block = record(&welsh).address_block();
    assert_eq!(block.len(), 5);
    assert_eq!(format!("{}{}", block[2].trim_end_matches('-'), block[3]), town);

    let many: Vec<String> = (1..=9).map(|i| format!("Line {i}")).collect();
    let joined = record(&RawPerson { address: many.clone(), ..raw() }).address_block();
    assert_eq!((joined.len(), joined[0].as_str(), joined[6].as_str()), (7, "Siân O'Brien-Ŵyn", "SY23 2AX"));
    let endless: Vec<String> = (1..=9).map(|i| format!("A rather long line with number {i} in it")).collect();
    assert_eq!(codes(&RawPerson { address: endless, ..raw() }), ["address_too_long"]);
}

#[test]
fn preferences_have_one_spelling() {
    let wishes = |language: &str, format: &str, jurisdiction: &str| {
        record(&RawPerson { language: language.into(), format: format.into(), jurisdiction: jurisdiction.into(), ..raw() })
    };
    let person = wishes("CY_gb", "Large print", "Wales");
    assert_eq!(
        (person.language.as_str(), person.format.as_str(), person.jurisdiction.as_str()),
        ("cy-GB", "large-print", "GB-WLS")
    );
    assert_eq!(wishes("Cymraeg", "", "ie").language, "cy");
    assert_eq!(wishes("zh-hant-TW", "", "").language, "zh-Hant-TW");
}

#[test]
fn a_formula_is_data_and_is_guarded_where_csv_is_written() {
    for cell in ["=HYPERLINK(\"x\")", "+44 7400 123456", "-1", "@x", "Ann", "'t Hooft", "'"] {
        assert_eq!(unguard_formula(&guard_formula(cell)), cell);
    }
    assert_eq!(guard_formula("=1+1"), "'=1+1");
    assert_eq!(unguard_formula("'t Hooft"), "'t Hooft");
}

#[test]
fn every_code_has_a_remedy_of_its_own() {
    let remedies: std::collections::HashSet<&str> = Fault::codes().map(Fault::remedy).collect();
    assert_eq!(remedies.len(), Fault::codes().count());
}

#[test]
fn a_reference_code_has_unmistakable_letters_and_never_reads_as_a_word() {
    let codes: std::collections::HashSet<String> = (0..2000).map(|_| draw_reference_code()).collect();
    assert!(codes.len() > 1990, "{}", codes.len());
    for code in codes {
        let (first, second) = code.split_once('-').unwrap();
        for half in [first, second] {
            assert!(half.len() == 4 && half.chars().all(|c| c.is_ascii_alphanumeric() && !"IO01".contains(c)), "{code}");
            assert!(half.chars().any(|c| c.is_ascii_digit()), "{code}");
        }
    }
}
