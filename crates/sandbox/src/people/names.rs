//! What people and places are called. Nobody here is real.

/// First and last names that go together.
pub const PEOPLES: &[(&[&str], &[&str])] = &[
    (
        &["Amelia", "Anne-Marie", "Oliver", "Priya", "O"],
        &["Smith", "D’Souza", "O'Brien", "Fitzgerald-Jones", "Null", "van der Berg"],
    ),
    (&["Siân", "Rhys", "Llŷr", "Angharad"], &["Llewelyn-Ŵyn", "ap Gruffydd", "Price", "Rhŷdderch"]),
    (&["Łukasz", "Świętosława", "Zbigniew"], &["Żółkiewska", "Brzęczyszczykiewicz", "Wójcik"]),
    (&["Ελένη", "Νίκος"], &["Παπαδοπούλου", "Καραγιάννης"]),
    (&["Олексій", "Соломія"], &["Шевченко", "Кравчук-Їжакевич"]),
    (&["Nguyễn Thị", "Phạm"], &["Hương", "Văn Đức"]),
    (&["Çağla", "İbrahim"], &["Yılmaz", "Öztürkoğlu"]),
    (&["محمد", "فاطمة"], &["الأحمد", "بن علي"]),
    (&["Seán", "Caoimhe"], &["Ó Súilleabháin", "Nic Giolla Phádraig"]),
    (&["José María", "Iñaki"], &["García López", "Núñez"]),
    (&["Björn", "Zoë", "Ágústa"], &["Þórðardóttir", "Müller-Lüdenscheidt", "Ångström"]),
    // One word is a whole name.
    (&[""], &["Suharto", "Sukarnoputri", "Aung"]),
    (&["Wilhelmina"], &["Featherstonehaugh-Cholmondeley-Majoribanks-Wriothesley-Wynn"]),
    // What a template, a spreadsheet or a browser would run if we let it.
    (&["Ann"], &["#panic(\"x\") *b*", "=HYPERLINK(\"x\")", "<i>Stone</i> {{x}}", "Robert'); drop table person;--"]),
];

/// Streets.
pub const STREETS: &[&str] = &["Heol y Bont", "High Street", "Station Road", "Church Lane", "St Mary's Close"];

/// Town, postcode, language and jurisdiction.
pub const TOWNS: &[(&str, &str, &str, &str)] = &[
    ("Aberystwyth", "SY23 2AX", "en", "GB-WLS"),
    ("Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch", "LL61 5UJ", "English", "Wales"),
    ("Northmere", "ne1 4xf", "en", ""),
    ("Leeds", "LS14AP", "", "England"),
    ("London", "SW1A 1AA", "EN_gb", ""),
    ("Belfast", "BT1 5GS", "en", "Northern Ireland"),
    ("Glasgow", "G2 1DU", "en", "GB-SCT"),
    ("Saint Helier", "JE2 3QA", "en", ""),
];

/// Street, town, postcode, country as written, language, and a mobile number but for its last six digits.
pub const ABROAD: &[(&str, &str, &str, &str, &str, &str)] = &[
    ("O'Connell Street", "Dublin", "D02 AF30", "Éire", "en", "+353 85 1"),
    ("rue de l’Église", "Lyon", "69001", "FR", "en", "+33 6 12 "),
    ("ulica Świętego Jana", "Kraków", "31-001", "Poland", "English", "+48 512 "),
    ("Burnside Street", "Portland", "97201", "U.S.A.", "en", "+1 503 2"),
    ("Domstraße", "Köln", "50667", "de", "en", "+49 1511 1"),
    ("İstiklal Caddesi", "İstanbul", "34433", "Türkiye", "en", "+90 532 1"),
    ("Λεωφόρος Νίκης", "Θεσσαλονίκη", "546 22", "Greece", "en", "+30 690 1"),
];
