//! The fonts that are part of this program; nothing of the machine is read. A script that the first face lacks falls to
//! the face that has it.

macro_rules! faces {
    ($($family:literal $file:literal)*) => {
        /// Families, in the order in which a character is looked for.
        pub const FAMILIES: &[&str] = &[$($family),*];
        /// Faces: one for each family, and the bold one of the first.
        pub(crate) const FACES: &[&[u8]] = &[
            include_bytes!("../fonts/NotoSans-Bold.ttf"),
            $(include_bytes!(concat!("../fonts/", $file, "-Regular.ttf"))),*
        ];
    };
}

faces! {
    "Noto Sans" "NotoSans"
    "Noto Sans Arabic" "NotoSansArabic"
    "Noto Sans Hebrew" "NotoSansHebrew"
    "Noto Sans Devanagari" "NotoSansDevanagari"
    "Noto Sans Bengali" "NotoSansBengali"
    "Noto Sans Gurmukhi" "NotoSansGurmukhi"
    "Noto Sans Gujarati" "NotoSansGujarati"
    "Noto Sans Oriya" "NotoSansOriya"
    "Noto Sans Tamil" "NotoSansTamil"
    "Noto Sans Telugu" "NotoSansTelugu"
    "Noto Sans Kannada" "NotoSansKannada"
    "Noto Sans Malayalam" "NotoSansMalayalam"
    "Noto Sans Sinhala" "NotoSansSinhala"
    "Noto Sans Thai" "NotoSansThai"
    "Noto Sans Lao" "NotoSansLao"
    "Noto Sans Khmer" "NotoSansKhmer"
    "Noto Sans Myanmar" "NotoSansMyanmar"
    "Noto Sans Georgian" "NotoSansGeorgian"
    "Noto Sans Armenian" "NotoSansArmenian"
    "Noto Sans Ethiopic" "NotoSansEthiopic"
    "Noto Sans Syriac" "NotoSansSyriac"
    "Noto Sans Thaana" "NotoSansThaana"
    "Noto Sans NKo" "NotoSansNKo"
    "Noto Sans Adlam" "NotoSansAdlam"
    "Noto Sans Tifinagh" "NotoSansTifinagh"
    "Noto Sans Cherokee" "NotoSansCherokee"
    "Noto Sans CanAborig" "NotoSansCanadianAboriginal"
}
