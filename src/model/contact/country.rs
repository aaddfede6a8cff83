//! Countries: ISO 3166 codes with the names that the post and people write.

use super::fault::Fault;
use super::text::clean;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166 alpha-2.
    pub code: &'static str,
    /// English name as the last line of a letter from abroad, in capitals.
    pub name: &'static str,
}

impl Country {
    /// Whether Royal Mail delivers there at home rates, by UK postcodes and without a country line.
    pub fn is_domestic(&self) -> bool {
        matches!(self.code, "GB" | "JE" | "GG" | "IM")
    }
}

/// Finds a country by code or name; empty: the United Kingdom.
pub fn find(text: &str) -> Result<Country, Fault> {
    let text = plain(text);
    let code = match text.as_str() {
        "" => "GB",
        other => OTHER_NAMES.iter().find(|(name, _)| *name == other).map_or(other, |(_, code)| code),
    };
    let found = COUNTRIES.iter().find(|(c, name)| *c == code || *name == code);
    found.map(|(code, name)| Country { code, name }).ok_or(Fault { column: "country", code: "unknown_country" })
}

/// Whether this is a country's code.
pub fn is_code(text: &str) -> bool {
    COUNTRIES.iter().any(|(code, _)| *code == text)
}

/// Capitals without accents and full stops.
fn plain(text: &str) -> String {
    let folded: String = clean(text).nfd().filter(|c| !is_combining_mark(*c) && *c != '.').map(|c| if c == '’' { '\'' } else { c }).collect();
    folded.to_uppercase()
}

const OTHER_NAMES: &[(&str, &str)] = &[
    ("UK", "GB"), ("GBR", "GB"), ("GREAT BRITAIN", "GB"), ("BRITAIN", "GB"), ("ENGLAND", "GB"), ("WALES", "GB"),
    ("CYMRU", "GB"), ("SCOTLAND", "GB"), ("NORTHERN IRELAND", "GB"), ("BFPO", "GB"), ("EIRE", "IE"),
    ("REPUBLIC OF IRELAND", "IE"), ("IRL", "IE"), ("IRELAND, REPUBLIC OF", "IE"), ("USA", "US"), ("UNITED STATES", "US"),
    ("AMERICA", "US"), ("UAE", "AE"), ("HOLLAND", "NL"), ("THE NETHERLANDS", "NL"), ("DEUTSCHLAND", "DE"), ("ESPANA", "ES"),
    ("ITALIA", "IT"), ("POLSKA", "PL"), ("CZECH REPUBLIC", "CZ"), ("COTE D'IVOIRE", "CI"), ("CABO VERDE", "CV"),
    ("SWAZILAND", "SZ"), ("BURMA", "MM"), ("MACEDONIA", "MK"), ("MACAU", "MO"), ("TURKIYE", "TR"), ("VIET NAM", "VN"),
    ("RUSSIAN FEDERATION", "RU"), ("SOUTH KOREA, REPUBLIC OF", "KR"), ("KOREA", "KR"), ("REPUBLIC OF KOREA", "KR"),
    ("THE GAMBIA", "GM"), ("THE BAHAMAS", "BS"), ("EAST TIMOR", "TL"), ("BOSNIA", "BA"), ("TRINIDAD", "TT"),
    ("ST HELENA", "SH"), ("ST LUCIA", "LC"), ("HOLY SEE", "VA"),
];

const COUNTRIES: &[(&str, &str)] = &[
    ("AF", "AFGHANISTAN"), ("AX", "ALAND ISLANDS"), ("AL", "ALBANIA"), ("DZ", "ALGERIA"), ("AS", "AMERICAN SAMOA"),
    ("AD", "ANDORRA"), ("AO", "ANGOLA"), ("AI", "ANGUILLA"), ("AQ", "ANTARCTICA"), ("AG", "ANTIGUA AND BARBUDA"),
    ("AR", "ARGENTINA"), ("AM", "ARMENIA"), ("AW", "ARUBA"), ("AU", "AUSTRALIA"), ("AT", "AUSTRIA"), ("AZ", "AZERBAIJAN"),
    ("BS", "BAHAMAS"), ("BH", "BAHRAIN"), ("BD", "BANGLADESH"), ("BB", "BARBADOS"), ("BY", "BELARUS"), ("BE", "BELGIUM"),
    ("BZ", "BELIZE"), ("BJ", "BENIN"), ("BM", "BERMUDA"), ("BT", "BHUTAN"), ("BO", "BOLIVIA"),
    ("BQ", "BONAIRE, SINT EUSTATIUS AND SABA"), ("BA", "BOSNIA AND HERZEGOVINA"), ("BW", "BOTSWANA"), ("BV", "BOUVET ISLAND"),
    ("BR", "BRAZIL"), ("IO", "BRITISH INDIAN OCEAN TERRITORY"), ("BN", "BRUNEI"), ("BG", "BULGARIA"), ("BF", "BURKINA FASO"),
    ("BI", "BURUNDI"), ("CV", "CAPE VERDE"), ("KH", "CAMBODIA"), ("CM", "CAMEROON"), ("CA", "CANADA"), ("KY", "CAYMAN ISLANDS"),
    ("CF", "CENTRAL AFRICAN REPUBLIC"), ("TD", "CHAD"), ("CL", "CHILE"), ("CN", "CHINA"), ("CX", "CHRISTMAS ISLAND"),
    ("CC", "COCOS ISLANDS"), ("CO", "COLOMBIA"), ("KM", "COMOROS"), ("CG", "CONGO"), ("CD", "DEMOCRATIC REPUBLIC OF THE CONGO"),
    ("CK", "COOK ISLANDS"), ("CR", "COSTA RICA"), ("CI", "IVORY COAST"), ("HR", "CROATIA"), ("CU", "CUBA"), ("CW", "CURACAO"),
    ("CY", "CYPRUS"), ("CZ", "CZECHIA"), ("DK", "DENMARK"), ("DJ", "DJIBOUTI"), ("DM", "DOMINICA"),
    ("DO", "DOMINICAN REPUBLIC"), ("EC", "ECUADOR"), ("EG", "EGYPT"), ("SV", "EL SALVADOR"), ("GQ", "EQUATORIAL GUINEA"),
    ("ER", "ERITREA"), ("EE", "ESTONIA"), ("SZ", "ESWATINI"), ("ET", "ETHIOPIA"), ("FK", "FALKLAND ISLANDS"),
    ("FO", "FAROE ISLANDS"), ("FJ", "FIJI"), ("FI", "FINLAND"), ("FR", "FRANCE"), ("GF", "FRENCH GUIANA"),
    ("PF", "FRENCH POLYNESIA"), ("TF", "FRENCH SOUTHERN TERRITORIES"), ("GA", "GABON"), ("GM", "GAMBIA"), ("GE", "GEORGIA"),
    ("DE", "GERMANY"), ("GH", "GHANA"), ("GI", "GIBRALTAR"), ("GR", "GREECE"), ("GL", "GREENLAND"), ("GD", "GRENADA"),
    ("GP", "GUADELOUPE"), ("GU", "GUAM"), ("GT", "GUATEMALA"), ("GG", "GUERNSEY"), ("GN", "GUINEA"), ("GW", "GUINEA-BISSAU"),
    ("GY", "GUYANA"), ("HT", "HAITI"), ("HM", "HEARD AND MCDONALD ISLANDS"), ("VA", "VATICAN CITY"), ("HN", "HONDURAS"),
    ("HK", "HONG KONG"), ("HU", "HUNGARY"), ("IS", "ICELAND"), ("IN", "INDIA"), ("ID", "INDONESIA"), ("IR", "IRAN"),
    ("IQ", "IRAQ"), ("IE", "IRELAND"), ("IM", "ISLE OF MAN"), ("IL", "ISRAEL"), ("IT", "ITALY"), ("JM", "JAMAICA"),
    ("JP", "JAPAN"), ("JE", "JERSEY"), ("JO", "JORDAN"), ("KZ", "KAZAKHSTAN"), ("KE", "KENYA"), ("KI", "KIRIBATI"),
    ("KP", "NORTH KOREA"), ("KR", "SOUTH KOREA"), ("XK", "KOSOVO"), ("KW", "KUWAIT"), ("KG", "KYRGYZSTAN"), ("LA", "LAOS"),
    ("LV", "LATVIA"), ("LB", "LEBANON"), ("LS", "LESOTHO"), ("LR", "LIBERIA"), ("LY", "LIBYA"), ("LI", "LIECHTENSTEIN"),
    ("LT", "LITHUANIA"), ("LU", "LUXEMBOURG"), ("MO", "MACAO"), ("MG", "MADAGASCAR"), ("MW", "MALAWI"), ("MY", "MALAYSIA"),
    ("MV", "MALDIVES"), ("ML", "MALI"), ("MT", "MALTA"), ("MH", "MARSHALL ISLANDS"), ("MQ", "MARTINIQUE"), ("MR", "MAURITANIA"),
    ("MU", "MAURITIUS"), ("YT", "MAYOTTE"), ("MX", "MEXICO"), ("FM", "MICRONESIA"), ("MD", "MOLDOVA"), ("MC", "MONACO"),
    ("MN", "MONGOLIA"), ("ME", "MONTENEGRO"), ("MS", "MONTSERRAT"), ("MA", "MOROCCO"), ("MZ", "MOZAMBIQUE"), ("MM", "MYANMAR"),
    ("NA", "NAMIBIA"), ("NR", "NAURU"), ("NP", "NEPAL"), ("NL", "NETHERLANDS"), ("NC", "NEW CALEDONIA"), ("NZ", "NEW ZEALAND"),
    ("NI", "NICARAGUA"), ("NE", "NIGER"), ("NG", "NIGERIA"), ("NU", "NIUE"), ("NF", "NORFOLK ISLAND"),
    ("MK", "NORTH MACEDONIA"), ("MP", "NORTHERN MARIANA ISLANDS"), ("NO", "NORWAY"), ("OM", "OMAN"), ("PK", "PAKISTAN"),
    ("PW", "PALAU"), ("PS", "PALESTINE"), ("PA", "PANAMA"), ("PG", "PAPUA NEW GUINEA"), ("PY", "PARAGUAY"), ("PE", "PERU"),
    ("PH", "PHILIPPINES"), ("PN", "PITCAIRN"), ("PL", "POLAND"), ("PT", "PORTUGAL"), ("PR", "PUERTO RICO"), ("QA", "QATAR"),
    ("RE", "REUNION"), ("RO", "ROMANIA"), ("RU", "RUSSIA"), ("RW", "RWANDA"), ("BL", "SAINT BARTHELEMY"),
    ("SH", "SAINT HELENA, ASCENSION AND TRISTAN DA CUNHA"), ("KN", "SAINT KITTS AND NEVIS"), ("LC", "SAINT LUCIA"),
    ("MF", "SAINT MARTIN"), ("PM", "SAINT PIERRE AND MIQUELON"), ("VC", "SAINT VINCENT AND THE GRENADINES"), ("WS", "SAMOA"),
    ("SM", "SAN MARINO"), ("ST", "SAO TOME AND PRINCIPE"), ("SA", "SAUDI ARABIA"), ("SN", "SENEGAL"), ("RS", "SERBIA"),
    ("SC", "SEYCHELLES"), ("SL", "SIERRA LEONE"), ("SG", "SINGAPORE"), ("SX", "SINT MAARTEN"), ("SK", "SLOVAKIA"),
    ("SI", "SLOVENIA"), ("SB", "SOLOMON ISLANDS"), ("SO", "SOMALIA"), ("ZA", "SOUTH AFRICA"),
    ("GS", "SOUTH GEORGIA AND THE SOUTH SANDWICH ISLANDS"), ("SS", "SOUTH SUDAN"), ("ES", "SPAIN"), ("LK", "SRI LANKA"),
    ("SD", "SUDAN"), ("SR", "SURINAME"), ("SJ", "SVALBARD AND JAN MAYEN"), ("SE", "SWEDEN"), ("CH", "SWITZERLAND"),
    ("SY", "SYRIA"), ("TW", "TAIWAN"), ("TJ", "TAJIKISTAN"), ("TZ", "TANZANIA"), ("TH", "THAILAND"), ("TL", "TIMOR-LESTE"),
    ("TG", "TOGO"), ("TK", "TOKELAU"), ("TO", "TONGA"), ("TT", "TRINIDAD AND TOBAGO"), ("TN", "TUNISIA"), ("TR", "TURKEY"),
    ("TM", "TURKMENISTAN"), ("TC", "TURKS AND CAICOS ISLANDS"), ("TV", "TUVALU"), ("UG", "UGANDA"), ("UA", "UKRAINE"),
    ("AE", "UNITED ARAB EMIRATES"), ("GB", "UNITED KINGDOM"), ("US", "UNITED STATES OF AMERICA"),
    ("UM", "US MINOR OUTLYING ISLANDS"), ("UY", "URUGUAY"), ("UZ", "UZBEKISTAN"), ("VU", "VANUATU"), ("VE", "VENEZUELA"),
    ("VN", "VIETNAM"), ("VG", "BRITISH VIRGIN ISLANDS"), ("VI", "US VIRGIN ISLANDS"), ("WF", "WALLIS AND FUTUNA"),
    ("EH", "WESTERN SAHARA"), ("YE", "YEMEN"), ("ZM", "ZAMBIA"), ("ZW", "ZIMBABWE"),
];
