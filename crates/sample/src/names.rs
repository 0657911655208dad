//! Names of people in many scripts, each with a form in ASCII letters for logins and mail addresses.

/// A name as its owner writes it, and in lower-case ASCII letters.
pub(crate) type Name = (&'static str, &'static str);

/// The names of one language.
#[derive(Clone, Copy)]
pub(crate) struct Language {
    pub(crate) first: &'static [Name],
    pub(crate) last: &'static [Name],
    /// The family name comes first and nothing stands between.
    pub(crate) family_first: bool,
}

const fn western(first: &'static [Name], last: &'static [Name]) -> Language {
    Language { first, last, family_first: false }
}

const fn eastern(first: &'static [Name], last: &'static [Name]) -> Language {
    Language { first, last, family_first: true }
}

/// How many of the first [`LANGUAGES`] can be written in Latin-1.
pub(crate) const LATIN_1_LANGUAGES: usize = 4;

/// All languages; those that Latin-1 can write come first.
pub(crate) const LANGUAGES: [Language; 16] = [
    western(
        &[
            ("Alice", "alice"),
            ("Brian", "brian"),
            ("Chloe", "chloe"),
            ("Derek", "derek"),
            ("Emma", "emma"),
            ("Grace", "grace"),
            ("Henry", "henry"),
            ("Oliver", "oliver"),
        ],
        &[
            ("Archer", "archer"),
            ("Baker", "baker"),
            ("Carter", "carter"),
            ("Dixon", "dixon"),
            ("O'Neill", "oneill"),
            ("Fletcher", "fletcher"),
            ("Smith-Jones", "smithjones"),
            ("Turner", "turner"),
        ],
    ),
    western(
        &[
            ("Jürgen", "juergen"),
            ("Käthe", "kaethe"),
            ("Sören", "soeren"),
            ("Åsa", "asa"),
            ("Björn", "bjorn"),
            ("Günther", "guenther"),
            ("Mette", "mette"),
            ("Frøya", "froya"),
        ],
        &[
            ("Müller", "mueller"),
            ("Weiß", "weiss"),
            ("Größmann", "groessmann"),
            ("Sørensen", "sorensen"),
            ("Ångström", "angstrom"),
            ("von der Heide", "vonderheide"),
            ("Jäger", "jaeger"),
            ("Lindqvist", "lindqvist"),
        ],
    ),
    western(
        &[
            ("Éloïse", "eloise"),
            ("François", "francois"),
            ("Zoé", "zoe"),
            ("Benoît", "benoit"),
            ("Agnès", "agnes"),
            ("Loïc", "loic"),
            ("Noël", "noel"),
            ("Mathilde", "mathilde"),
        ],
        &[
            ("Lefèvre", "lefevre"),
            ("D'Aubigné", "daubigne"),
            ("Garçon", "garcon"),
            ("Bélanger", "belanger"),
            ("Côté", "cote"),
            ("Dupré", "dupre"),
            ("Forêt", "foret"),
            ("Maçon", "macon"),
        ],
    ),
    western(
        &[
            ("José", "jose"),
            ("Begoña", "begona"),
            ("Íñigo", "inigo"),
            ("João", "joao"),
            ("Conceição", "conceicao"),
            ("Lucía", "lucia"),
            ("Andrés", "andres"),
            ("Inês", "ines"),
        ],
        &[
            ("Núñez", "nunez"),
            ("García López", "garcialopez"),
            ("Muñoz", "munoz"),
            ("Gonçalves", "goncalves"),
            ("Simões", "simoes"),
            ("Peña", "pena"),
            ("Ibáñez", "ibanez"),
            ("Araújo", "araujo"),
        ],
    ),
    western(
        &[
            ("Łukasz", "lukasz"),
            ("Świętosława", "swietoslawa"),
            ("Jiří", "jiri"),
            ("Žofie", "zofie"),
            ("Małgorzata", "malgorzata"),
            ("Ondřej", "ondrej"),
            ("Šárka", "sarka"),
            ("Grzegorz", "grzegorz"),
        ],
        &[
            ("Wiśniewski", "wisniewski"),
            ("Dąbrowska", "dabrowska"),
            ("Dvořák", "dvorak"),
            ("Růžička", "ruzicka"),
            ("Żak", "zak"),
            ("Černý", "cerny"),
            ("Król", "krol"),
            ("Štěpánek", "stepanek"),
        ],
    ),
    western(
        &[
            ("Ayşe", "ayse"),
            ("Çağrı", "cagri"),
            ("İbrahim", "ibrahim"),
            ("Gülşah", "gulsah"),
            ("Ömer", "omer"),
            ("Işıl", "isil"),
            ("Uğur", "ugur"),
            ("Şebnem", "sebnem"),
        ],
        &[
            ("Yılmaz", "yilmaz"),
            ("Öztürk", "ozturk"),
            ("Çelik", "celik"),
            ("Şahin", "sahin"),
            ("Doğan", "dogan"),
            ("Güneş", "gunes"),
            ("Işık", "isik"),
            ("Kılıç", "kilic"),
        ],
    ),
    western(
        &[
            ("Nguyệt", "nguyet"),
            ("Dũng", "dung"),
            ("Hương", "huong"),
            ("Đức", "duc"),
            ("Thảo", "thao"),
            ("Tuấn", "tuan"),
            ("Yến", "yen"),
            ("Phúc", "phuc"),
        ],
        &[
            ("Nguyễn", "nguyen"),
            ("Trần", "tran"),
            ("Phạm", "pham"),
            ("Đặng", "dang"),
            ("Võ", "vo"),
            ("Hoàng", "hoang"),
            ("Bùi", "bui"),
            ("Lê", "le"),
        ],
    ),
    western(
        &[
            ("Ελένη", "eleni"),
            ("Γιώργος", "giorgos"),
            ("Κατερίνα", "katerina"),
            ("Νίκος", "nikos"),
            ("Σοφία", "sofia"),
            ("Δημήτρης", "dimitris"),
            ("Αθηνά", "athina"),
            ("Οδυσσέας", "odysseas"),
        ],
        &[
            ("Παπαδόπουλος", "papadopoulos"),
            ("Γεωργίου", "georgiou"),
            ("Νικολάου", "nikolaou"),
            ("Βασιλείου", "vasileiou"),
            ("Οικονόμου", "oikonomou"),
            ("Χατζής", "chatzis"),
            ("Μακρής", "makris"),
            ("Ιωάννου", "ioannou"),
        ],
    ),
    western(
        &[
            ("Анна", "anna"),
            ("Дмитрий", "dmitrii"),
            ("Ольга", "olga"),
            ("Сергей", "sergei"),
            ("Наталія", "nataliia"),
            ("Юрій", "yurii"),
            ("Їжак", "yizhak"),
            ("Фёдор", "fedor"),
        ],
        &[
            ("Иванова", "ivanova"),
            ("Кузнецов", "kuznetsov"),
            ("Шевченко", "shevchenko"),
            ("Соловьёв", "solovev"),
            ("Щербак", "shcherbak"),
            ("Ґалаґан", "galagan"),
            ("Морозова", "morozova"),
            ("Юрченко", "yurchenko"),
        ],
    ),
    western(
        &[
            ("فاطمة", "fatima"),
            ("محمد", "mohammed"),
            ("ليلى", "layla"),
            ("يوسف", "yusuf"),
            ("نور", "nour"),
            ("خالد", "khalid"),
            ("مريم", "maryam"),
            ("عمر", "omar"),
        ],
        &[
            ("الحسن", "alhassan"),
            ("حداد", "haddad"),
            ("منصور", "mansour"),
            ("العلي", "alali"),
            ("نجار", "najjar"),
            ("الخطيب", "alkhatib"),
            ("سليمان", "sulaiman"),
            ("قاسم", "qasim"),
        ],
    ),
    western(
        &[
            ("נועה", "noa"),
            ("דוד", "david"),
            ("שירה", "shira"),
            ("יצחק", "yitzhak"),
            ("תמר", "tamar"),
            ("אורי", "uri"),
            ("מיכל", "michal"),
            ("גיל", "gil"),
        ],
        &[
            ("כהן", "cohen"),
            ("לוי", "levi"),
            ("מזרחי", "mizrahi"),
            ("פרץ", "peretz"),
            ("ביטון", "biton"),
            ("אברהם", "avraham"),
            ("שפירא", "shapira"),
            ("גולן", "golan"),
        ],
    ),
    western(
        &[
            ("สมชาย", "somchai"),
            ("มาลี", "malee"),
            ("อรุณ", "arun"),
            ("กนกวรรณ", "kanokwan"),
            ("ธนา", "thana"),
            ("ปราณี", "pranee"),
            ("วิชัย", "wichai"),
            ("น้ำฝน", "namfon"),
        ],
        &[
            ("ศรีสุข", "srisuk"),
            ("ทองดี", "thongdee"),
            ("แก้วมณี", "kaewmanee"),
            ("บุญมา", "boonma"),
            ("วงศ์ไทย", "wongthai"),
            ("ใจดี", "jaidee"),
            ("สายทอง", "saithong"),
            ("พงษ์พันธ์", "phongphan"),
        ],
    ),
    western(
        &[
            ("अनीता", "anita"),
            ("राजेश", "rajesh"),
            ("प्रिया", "priya"),
            ("विक्रम", "vikram"),
            ("सुनीता", "sunita"),
            ("कृष्ण", "krishna"),
            ("दीपा", "deepa"),
            ("अर्जुन", "arjun"),
        ],
        &[
            ("शर्मा", "sharma"),
            ("गुप्ता", "gupta"),
            ("सिंह", "singh"),
            ("वर्मा", "verma"),
            ("मिश्रा", "mishra"),
            ("पाटील", "patil"),
            ("जोशी", "joshi"),
            ("कुलकर्णी", "kulkarni"),
        ],
    ),
    eastern(
        &[
            ("伟", "wei"),
            ("秀英", "xiuying"),
            ("建国", "jianguo"),
            ("晓明", "xiaoming"),
            ("雪", "xue"),
            ("子涵", "zihan"),
        ],
        &[
            ("王", "wang"),
            ("李", "li"),
            ("欧阳", "ouyang"),
            ("陈", "chen"),
            ("诸葛", "zhuge"),
            ("赵", "zhao"),
        ],
    ),
    eastern(
        &[
            ("さくら", "sakura"),
            ("健太", "kenta"),
            ("陽子", "yoko"),
            ("大輔", "daisuke"),
            ("ユウキ", "yuki"),
            ("葵", "aoi"),
        ],
        &[
            ("𠮷田", "yoshida"),
            ("佐藤", "sato"),
            ("髙橋", "takahashi"),
            ("鈴木", "suzuki"),
            ("渡邉", "watanabe"),
            ("山﨑", "yamazaki"),
        ],
    ),
    eastern(
        &[
            ("민준", "minjun"),
            ("서연", "seoyeon"),
            ("지훈", "jihun"),
            ("수빈", "subin"),
            ("하은", "haeun"),
            ("도윤", "doyun"),
            ("예진", "yejin"),
            ("현우", "hyeonu"),
        ],
        &[
            ("김", "kim"),
            ("이", "yi"),
            ("박", "park"),
            ("최", "choi"),
            ("정", "jung"),
            ("강", "kang"),
            ("남궁", "namgung"),
            ("윤", "yoon"),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_forms_are_letters_and_the_first_languages_are_latin_1() {
        for (number, language) in LANGUAGES.iter().enumerate() {
            for (name, ascii) in language.first.iter().chain(language.last) {
                assert!(!ascii.is_empty() && ascii.bytes().all(|byte| byte.is_ascii_lowercase()), "{ascii}");
                let latin_1 = name.chars().all(|character| u32::from(character) <= 0xff);
                assert!(latin_1 || number >= LATIN_1_LANGUAGES, "{name}");
            }
        }
    }
}
