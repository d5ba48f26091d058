// Volumes that the real client (1.4.2) formatted and wrote, small enough to stand here: their
// settings as stored in Redis, and objects of 100 plain bytes. The keys were made for these tests
// and protect nothing else.
#pragma once

#include <string_view>

namespace prewarm::juicefs::real {

// One RSA key in the four forms that a volume's EncryptKey has.
inline constexpr std::string_view kPassphrase = "prewarm-test";

inline constexpr std::string_view kPkcs1Key = R"(-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAvZJ5oTbTVl2LzKrIjVOMY3jereCmTMNAVLcA57GrZZeo4UFl
lefvmGuO7ENDZdvay524c66L0OHkpnlVW0NauX3vq79E/jivOXcES06oABcnf6OI
iwwptjfBiDbfudXTM61a/iybBY7ePWZShSw6ALWOxVur6NQAVEFtIVgoPULP7Zdm
RVHciF76Due0zW+ndNnbHVZycMWvLQR3nrX/YQiDbf/5JTr9YjChSqQf/9ItUYaz
bSqBYENpavF/H2tPNrPcJhAd/KncNIHX9y4VILbGIABqtOprjbcwSXBLyXaXIDm+
WrSINZWCHsmfwLU720SsRF9zdT61fdRNb4sg3wIDAQABAoIBADhT2oIVeUwzNYPV
xwt/JLq1wmyl0KQEbAv/6Gvvtb7VBmAP/3BAX0fJxcjb353XaraPoav11CN3y2nP
qZYZeE6fZeSBS63CCAaqH4OE1pRYTOs3Gy49qfMzs/SWYXmlWEEFpIDbniBTqCNU
UPazAnUNfWOU7oqa25ItcpCy0hoJSQnrT1WbBJkb1yA2ClugN5LsTh6EqUnGKIi1
biy9tX2Ph1rQetvuq5vlF385pW6mII2f0jMcEwmEIUh+vKatQ4ASiUPbn+Iifqil
GOY95NLTXi0nwTWaA9ifY5retpImUoxKO/1KrGvwu8XqBoH4c9j7zxmZJA/xJzc3
egv0axkCgYEA+9tlQwoA59Nv1OxbaLn0oxr+Ny5GzNCHXiLVgh2YOx+7C4Ga8zeF
NytuapR2Iyti0XFMzeS5AKw3RZhj5uy7MxtgLaf2OuyROQ0voqaNpkj6JQoI4CqQ
wiOlvKciife2dOMfz5Iyr5273p/nB9UPDFJtFssBW/pGdxRmVWbwl6sCgYEAwLDK
HrKClLXFD3FVD8clGkOkYq1pLTL6Tl9wOCQo2JNtj1iGp+0jRtgVB+tePUvB8SS6
J8CZ6bIm8rZhTWcT1guM+3xkvvqpobthEddrZkZjO8/pIL8hT3VOJUqIvT8GXacC
+bbRCzY/yj4kR85s20lgM0Pbxp2e7M6l1nBZV50CgYAZeZ6rgkaHLH7iVaoFVNHm
8aMHJ9one2xF3FYmXCH60QHVbx2iPlpuMylvBGdStV/AeapgJSOFauYIVxq7z/Q7
fihjVdr1KNqjn67Sz/ACAt2yg2pUalnMGVj5VRqMRA8jkZm1ID+aPeUz5o6y3x0v
jOLV7GDN0enwv5J+TvRFEwKBgGt78jLvZnGndzXnBQjZEDQ3WSIGEy44SnGfQQy/
9tzgV/Pm8K4JVG03KXwSaa4NbTCjSQfVosU+MAWhgGNZxTHXnZvGxrfVQPxLdpkq
LemOB9qcXjF7DAyzpZSdn+rYlid1eu5qcO8tIqYgxcIcPpKPuo6+IoEG+Vik6NLW
Nq/tAoGBAKkhBUt9ikm3u898SPr+Sb7sENCRM3r4shXntMRYHTsF5DvcKsh2HjeE
aFQs9gQYiaUKoxbeEM63CVWDLt4a4M8P1dTJ4rAA2lMlrFk7+M3fjiUI71P+TQOT
sqje2MtA6h4h+xBaXEaWUndrTQGI+1+yFds4c4IjwzldNVNzGtE+
-----END RSA PRIVATE KEY-----
)";

inline constexpr std::string_view kPkcs8Key = R"(-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC9knmhNtNWXYvM
qsiNU4xjeN6t4KZMw0BUtwDnsatll6jhQWWV5++Ya47sQ0Nl29rLnbhzrovQ4eSm
eVVbQ1q5fe+rv0T+OK85dwRLTqgAFyd/o4iLDCm2N8GINt+51dMzrVr+LJsFjt49
ZlKFLDoAtY7FW6vo1ABUQW0hWCg9Qs/tl2ZFUdyIXvoO57TNb6d02dsdVnJwxa8t
BHeetf9hCINt//klOv1iMKFKpB//0i1RhrNtKoFgQ2lq8X8fa082s9wmEB38qdw0
gdf3LhUgtsYgAGq06muNtzBJcEvJdpcgOb5atIg1lYIeyZ/AtTvbRKxEX3N1PrV9
1E1viyDfAgMBAAECggEAOFPaghV5TDM1g9XHC38kurXCbKXQpARsC//oa++1vtUG
YA//cEBfR8nFyNvfnddqto+hq/XUI3fLac+plhl4Tp9l5IFLrcIIBqofg4TWlFhM
6zcbLj2p8zOz9JZheaVYQQWkgNueIFOoI1RQ9rMCdQ19Y5Tuiprbki1ykLLSGglJ
CetPVZsEmRvXIDYKW6A3kuxOHoSpScYoiLVuLL21fY+HWtB62+6rm+UXfzmlbqYg
jZ/SMxwTCYQhSH68pq1DgBKJQ9uf4iJ+qKUY5j3k0tNeLSfBNZoD2J9jmt62kiZS
jEo7/Uqsa/C7xeoGgfhz2PvPGZkkD/EnNzd6C/RrGQKBgQD722VDCgDn02/U7Fto
ufSjGv43LkbM0IdeItWCHZg7H7sLgZrzN4U3K25qlHYjK2LRcUzN5LkArDdFmGPm
7LszG2Atp/Y67JE5DS+ipo2mSPolCgjgKpDCI6W8pyKJ97Z04x/PkjKvnbven+cH
1Q8MUm0WywFb+kZ3FGZVZvCXqwKBgQDAsMoesoKUtcUPcVUPxyUaQ6RirWktMvpO
X3A4JCjYk22PWIan7SNG2BUH6149S8HxJLonwJnpsibytmFNZxPWC4z7fGS++qmh
u2ER12tmRmM7z+kgvyFPdU4lSoi9PwZdpwL5ttELNj/KPiRHzmzbSWAzQ9vGnZ7s
zqXWcFlXnQKBgBl5nquCRocsfuJVqgVU0ebxowcn2id7bEXcViZcIfrRAdVvHaI+
Wm4zKW8EZ1K1X8B5qmAlI4Vq5ghXGrvP9Dt+KGNV2vUo2qOfrtLP8AIC3bKDalRq
WcwZWPlVGoxEDyORmbUgP5o95TPmjrLfHS+M4tXsYM3R6fC/kn5O9EUTAoGAa3vy
Mu9mcad3NecFCNkQNDdZIgYTLjhKcZ9BDL/23OBX8+bwrglUbTcpfBJprg1tMKNJ
B9WixT4wBaGAY1nFMdedm8bGt9VA/Et2mSot6Y4H2pxeMXsMDLOllJ2f6tiWJ3V6
7mpw7y0ipiDFwhw+ko+6jr4igQb5WKTo0tY2r+0CgYEAqSEFS32KSbe7z3xI+v5J
vuwQ0JEzeviyFee0xFgdOwXkO9wqyHYeN4RoVCz2BBiJpQqjFt4QzrcJVYMu3hrg
zw/V1MnisADaUyWsWTv4zd+OJQjvU/5NA5OyqN7Yy0DqHiH7EFpcRpZSd2tNAYj7
X7IV2zhzgiPDOV01U3Ma0T4=
-----END PRIVATE KEY-----
)";

inline constexpr std::string_view kLegacyProtectedKey = R"(-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-256-CBC,7D3BEDE11DAC01259F189D36E4CFB799

/NMqMlDyP0wvBmg+37tk7T2cPUIkVXbjD2yJF71YhEvcewx0mBYrePByn9m1E4tL
xDturbgrJnN9YPGqhmElcxwt1/08VDv9W8BLZQRmWq3Kl/F+yxAoLhbupmlHU0pW
VlNGEDWC+UWQfCWPR9tQ/29japCzPew2zy5ctNEvISAnwbu6sTOx+UyYh/MNCEsJ
Vg9poPwchq5gEBQyhc1zCbg2/e3r0krehDqgqG/OmJgqIUPBM5LWwLNzVMEv4JMN
PV2klSkdjI365CecCbUta1/fokArDtW3puC+2f0CsBLh1LjEEYVyaUNGRnO8jW6W
zF5csbcAJ8MyTY6N3dnOaup68QPeGPBtb6j2oR8v+Ni7JXuUqDasYQd1XlqVv1rl
lgBc6Fsskr5kb8VCkNS9Z6+HfFwfZb2KM0NGXS+jih6uzGjiRwLmuuGujBHVMWx7
NBp/2TCAnmmnJ8HSc3lzKaEftbdAfjiBiYSIUQlOmxsuRJKxgOhJweyNYfygxcCh
sNrNYCQJyJNrMGlD3tGeIFGbkONPKvVpjjRAHPXTJeI/6uogiIOCOr+Tc3UKClET
ZIMmwenE3Rk92u/A0AjsLm9mo64pSSBOjxMXiK30dVXG8ekcNU102RQs29t+cXwD
QM3XInwttpIUEWwZM3nFuMNoyfSKNVV7aNjCheptWfgH76jf/i6jHhX+6ex6sB7G
OLCDkBqzSnYgjshqe1vJ+bI5LnrSDsAszvkGY5fCxx+/GBg8ktsmJMOVSHrx8Xt4
wvKjvcIqYfLwBOQ5rZVN2UGNIDp8wHafkgIfVgWGtafBUDXdazl/X+qWBMpqOGrD
qSYRYFqb+u6AuKO3hmA607nzWHGqXV8ryRHbE6rJpAHUoXYs6cAKIXBiOX1bDJ6E
qyx23YdLgWtjSPEWcxe4lZn9qSDTCUlWjpiSmn5B3K8HLCvlI9JEkvBx5yvpYfAI
WirX2C1jdy3FOJKpBEMOzrLZAWE4tt8BhAjTNY62ffIbBf5BsyxldBT1Mt0x7F+q
QCkXQ8vt7Ywm9yLDJJflG1RZfSrV7oMIPviaBbidy8y+Vug5fD5MT7w2z3o5Cb1m
8PKWag4rabvG3+wuaYCYCXOU+KBTkzRJ9xTNRbe1/7j02AoACDxSZgIHmptRAnId
o3t10GroDNjnCw2hsaaAFJ60UUqvEbWynFP+pB0SBPr55kzqnj8x4ugaSvC97opp
xuXnfZ1d9ZAb6UW3tbruvu168r33P7pfy/IJ+UKzpUbQ3jQfyyZkpG3xmc6C894G
zqK0C8bKpOdGVHWVOj46xRhDjy7csOs9LAbKmSapuuxTkHnkVxn5NXxgpAp5Y/6Y
SFIT85L87mlmUi/aTmTatuQm9cw7Emk80mvV3vFkjmeV6bHBrLtF5Ye0TYju1xDD
+0KdyOvnRyQdg1d6vUasLhAZ++d99QU7tGFOU1Z3KePWqK2r3Cb7EKVlsSFPLzXb
wGqxXXU6SB5ARBUAqU7TTOWkZQbC0reNi/NwMuiHxX96sQ1gHuNPI3gYZk7oEHVp
+DF6lsuKVwzZ6XNW1zhtk+unyihVg5pa+zX/9R7KyvXgyEBY3x2JH/90aYVvFVYt
-----END RSA PRIVATE KEY-----
)";

inline constexpr std::string_view kPkcs8ProtectedKey = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIfFequL7B2rACAggA
MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAEqBBD2EEibv+aHzlOt0BqpKzc5BIIE
0Ax4QQsJOepD552vieuDNjIHhjcOxU3haaPYL5Dff8Xb0J1ivN9Cdd0CnlW/4TSK
SGEL0eo2N+gHv+c4iUKCWUIMaVyqDU0W0Tv1vpt1l/Ir7Rfu1PAr/g4vZ1qQd8vZ
7JoUAjIPv3pLYm9iL+uBbVQxFiqwo279FLEig8mpKqbW0HzNUs/Fs9fb+P7XL0HF
7Vg+VsX5iXTPKDTmQz1UhISgnz497t6XdbU1jfMtQemACMv7sMb0Nmt3o/iiiLB8
lqoCAyaollWIhZHxRjIlpV0+Nq6s5Rja7DkOJj4tCeX9vYGObUefXB8L2aF9Ql5Y
t4MymtwsWPTn37NxC4M3NIAssbw1Xl443ubSozMjdhr5XWjB7HfLT8B9M7ms4J7v
8DEzn8Nv1whP4SiNWRnTo8nxjYuuZlloAxywo6z4BXSDHY9xYXaeHoxOZ4Y1Q+nF
FfNXk+f7tm9DfIZmiR+VraCT+5G38zPuppEHYSt2j1Ix9XftK8UwWZ8pq3lT8p9z
D7/gDKvSa6rpZoPXgm/eZO67/o3hn8+VivW2y5WDM3iumqAqH+6WdbGZxoYSoi8E
6pApFk71GSXKKSBYwe2bXjWOeoR2Hp4srKAKDR7EjdDjUikBuuAp09yIShUNgVmV
Kqw8CE7ePLrVBgiQEoVLLSQYGFlAZ6nxl/f5mtvcLqmGIkIC5s04S0A8o/cnA8Sx
xlSzRQIVi+fEsxyxT+nErRHH4Q3yGt/PD8g8fKka+BKdUZCM2S0PCKUTU4dP8xaN
aialccZcr1niAhvFm+fp9CY5I542Kd60yurNIf1WkhMAlB3g73qxVt9CEevushta
Kjlf+8jXzPwh5zpnbzdbCr59Qu+Xm0cSLPX1qaaEU/w91AuXZgn45crt35qC16RQ
L5lkHxiQ4LeJ9C3nAP3NoB3II6hSTRhVll2vbRHRGm64bwWPpxRUaka6pLIYDmpq
XvU0H6GD7N4npHojZmQvdXdVJvLSJiGc8YsaIRQQFzTWYRHqFKQZ94+n3Yo0tc0D
D7/9xwOgBD8VOs7gYmXL02IJjU1DFCJG90pvameC3RnK/DZLVoCeDiCUxEW4HqMy
HoZyMzyD7w946FeRDJkx06Or21QF7Pz1e+/tY/fqEKD28zVn4nsxU+uwWcJ1CZOe
nb7LOVzMD2/gAS7NTxX1Rnz18GZJGnr4u19kOqFTExfpoWfXxeBITphAs54B6qPp
92AAxmB17Deq0vd6TpMGGU3q2y1hJu6Qqay1APstUb5r14q69RJU/YejpnRRp0+b
aACiWsduYjO9yqYLq567ajM2MSEBhf6nM5+FFFLY9jsuORq3eKaPI8UrEk/CwykT
guK3bpkujDFUSJBHNRqsL3gRDuluo4/Nzrkb1Cmj1cgiDNq2ww4eE8X9uJdrNmWu
M5MeFMuo5JitCYjAo3L+yoVsvNP6e/e47gxaUA4aEXEekJfJmb3zrop9d7z9U6v/
f94Ry2DCH9eQZK6fwvTQ2EOC43T9S/+LFlVTEqmHnNntEGBej8lgFuWbRU6F+uuW
iB4rY9awXSwGEzVCGtHxSaV82cgbI/klhhiTruNRTQyxFzJPQmP1RwdRR7aBp8q1
zogc+2jFt8dcZLevO8XaEbYfZrMuC2t5U7zcq/i0t8Bv
-----END ENCRYPTED PRIVATE KEY-----
)";

struct Volume {
  std::string_view setting;
  bool needs_passphrase;
  bool hash_prefix;
  std::string_view repetitive_key;  // block of Repetitive(): byte i is i / 10
  std::string_view repetitive;      // the object, hexadecimal
  std::string_view noise_key;       // block of Noise()
  std::string_view noise;
  std::string_view uuid_object;  // juicefs_uuid: encrypted like a block, never compressed
};

inline constexpr Volume kPlain{
    R"({
"Name": "plain",
"UUID": "bc02537a-81fe-4766-bdb9-d1b08a3ffd75",
"Storage": "file",
"Tiers": {
"0": {
"ID": 0,
"StorageClass": "",
"Tag": ""
}
},
"Bucket": "/var/jfs/",
"BlockSize": 4096,
"Compression": "none",
"EncryptAlgo": "aes256gcm-rsa",
"TrashDays": 0,
"MetaVersion": 1,
"MinClientVersion": "1.1.0-A",
"DirStats": true,
"EnableACL": false
})",
    false,
    false,
    "chunks/0/0/1_0_100",
    "0000000000000000000001010101010101010101020202020202020202020303030303030303030304040404"
    "0404040404040505050505050505050506060606060606060606070707070707070707070808080808080808"
    "080809090909090909090909",
    "chunks/0/0/3_0_100",
    "00268a32173a9c402243a142223f9a39152f8823f7146901d3e73ecfa2b308956574c04f1d2871f9c3cb179b"
    "6268ab31f1f338b77877b535eeeb2aa25e578e09bcb2e75e130738a75a4a78e59481ad1bc2add540e5ccf15a"
    "00df07670ae70b6809e2035e",
    "62633032353337612d383166652d343736362d626462392d643162303861336666643735"};

inline constexpr Volume kLz4{
    R"({
"Name": "lz4",
"UUID": "6d17365b-9ded-46bc-b15c-8fe08d97f5dd",
"Storage": "file",
"Tiers": {
"0": {
"ID": 0,
"StorageClass": "",
"Tag": ""
}
},
"Bucket": "/var/jfs/",
"BlockSize": 4096,
"Compression": "lz4",
"EncryptAlgo": "aes256gcm-rsa",
"TrashDays": 0,
"MetaVersion": 1,
"MinClientVersion": "1.1.0-A",
"DirStats": true,
"EnableACL": false
})",
    false,
    false,
    "chunks/0/0/1_0_100",
    "150001001501010015020100150301001504010015050100150601001507010015080100a009090909090909"
    "090909",
    "chunks/0/0/2_0_100",
    "f05500268a32173a9c402243a142223f9a39152f8823f7146901d3e73ecfa2b308956574c04f1d2871f9c3cb"
    "179b6268ab31f1f338b77877b535eeeb2aa25e578e09bcb2e75e130738a75a4a78e59481ad1bc2add540e5cc"
    "f15a00df07670ae70b6809e2035e",
    "36643137333635622d396465642d343662632d623135632d386665303864393766356464"};

inline constexpr Volume kZstd{
    R"({
"Name": "zstd",
"UUID": "ddc20de5-8920-471a-a6c2-80f66ced6823",
"Storage": "file",
"Tiers": {
"0": {
"ID": 0,
"StorageClass": "",
"Tag": ""
}
},
"Bucket": "/var/jfs/",
"BlockSize": 4096,
"Compression": "zstd",
"EncryptAlgo": "aes256gcm-rsa",
"TrashDays": 0,
"MetaVersion": 1,
"MinClientVersion": "1.1.0-A",
"DirStats": true,
"EnableACL": false
})",
    false,
    false,
    "chunks/0/0/1_0_100",
    "28b52ffd20641d0100a0000001020304050607080909090909090909090909100045ca1556a45c6145ca25b0",
    "chunks/0/0/3_0_100",
    "28b52ffd206421030000268a32173a9c402243a142223f9a39152f8823f7146901d3e73ecfa2b308956574c0"
    "4f1d2871f9c3cb179b6268ab31f1f338b77877b535eeeb2aa25e578e09bcb2e75e130738a75a4a78e59481ad"
    "1bc2add540e5ccf15a00df07670ae70b6809e2035e",
    "64646332306465352d383932302d343731612d613663322d383066363663656436383233"};

inline constexpr Volume kAesLegacyKey{
    R"({
"Name": "legacy",
"UUID": "04eb2744-3246-4e19-827a-280a0d4f3c75",
"Storage": "file",
"Tiers": {
"0": {
"ID": 0,
"StorageClass": "",
"Tag": ""
}
},
"Bucket": "/var/jfs/",
"BlockSize": 4096,
"Compression": "none",
"EncryptKey": ")"
    "1Co6RNrYb98vKjrbeKzCqwwJPGpU4HaE/rFRKpWz3p6jdc4ic50i4+nIwZjabny+MSLLCeGeI1BADIHxE5jMGwwt"
    "SktlqN/fPoQ21Mz9S5QPrbfB8mMsdj9Ii7tQ/ImQm+0wAV+HL85Cl7QOhJrMKRGGZyD/to9ynPxomWV5NFGfl62x"
    "lQTrO46bNecsSZcSpE8xWPr1SJPlJCoBXAiSP/pnjq9nj4sLo2eEefmjb3GBrSaUi/HYME5Ov1s5WKywLO/NF7O9"
    "Nlp8SzW8M8KgJPI0Jk8I/Bmh1OudPIRqgl+0+aEmzKclHFziHROGRtaF9VzeZuvfDMZP0u7dpyyjHfx8uIPqbn23"
    "1qh47Z+N2VmRZMXWbkjplEVp069619l7gdgXbq73avnaWVb6WmFZUsdtCRMpcouazdSm1CJT0P5rHyMxyyiomVJF"
    "glsQ8+FltuZN05bg/XNC82wI1NP53WkTEdsEKnvLKrewrVs31VlvFqgwu9/hW7wB/x7rL5qqpKcehLrHsHbnIW5H"
    "OAPvFEZ3UkO6K9vnerV5khCwxQm4n0yBFtARlVucTcced9+8Df2T38fFVyNRzMrccYuq8WXXUCALd1LEXZjm19ca"
    "+r5THeBq+HoJbbTI+H7zwV9ruywYEUo37leCFzzEj+gCu+DOcrRhEcVEromO58+nyiYcmtUwBmEqObhRrx373sIb"
    "jyrQbytaj4l8I3Ptsf6f9jRkcWmSoTSDQoBuLvq/YCPMUBlb3WHNuNH45D10FP6dWuef6OppTfph2kVy0PP/RYqU"
    "FsB+XxC5S+/6ap9/Ui4I1JfGpYPqXpL+SofJkBtEsKvhD13E6LW0o1Dbu4YNc2TJcpOrNzInzZo2DtpOZLaGUA6q"
    "CrburIAA7s6W2pM/KCIXNOdrat4WR3F556pb6tqChmHmUhkwHKTICFFfK50irUrUSY6njIQOdGj4pBjaRgU9i3QP"
    "MT+A9QzxIDrZdb2YBrrhgSPBs6uJO67uwWMxXWcgS1p0acI32y5l66/2C2mJ8v2PskUJ34s25Wh6aRJ+9t37kokt"
    "7soCLyyhXhJvRHe/+8pkgbG48f1CcSSWRFBR1ky/L0sgBjPFtjmLOv4vVokK8bYzEALiSZYZHtjrwbAbn21h4nYf"
    "U2i2/BBuUYV4ItFhcPeI9Azp7HyMiMHTD9jDyuAYBFkfvaobso2Wg+cxmrmyvy52ManVCmlwtDT3VZYMhby/t7Su"
    "R0YamW1ID5u4V9qj8VudtW2ho2zA8xopKI6NNb5aC0HHtttaksJpWdt9utMCAekfs4UFVG0WDVW5MqGtekkdmh4X"
    "CQquo6W10f197GcbipxtX6mU7oycTnKfUrDEHCkZ99em47SNKdMqDBAptgENwTBnuaAIJ79poP65dythq23F6mhC"
    "wWmMldtrD0nSQnmcLR14c3US9JTrPJBH1eFf/iGV3mfAiPe2GEnz8oaI5Viv3BUPw/O4HdUym7Xvy1XDJ0lU2plb"
    "iIflLR0k/vrYdrt6TVjmlnyDxXbsNPXGoW6N5hNHYZOtTZTvWFq57mxXZ9Rpkr1oz+kkh3qQ7vsr2AwiHTL5Ptdk"
    "Jojs/f1I3Ag3JlokoBo1FjdWDdCNJJ6umc55paL6j4G64as1tAPfSoHkdQs1I/3/AgCKx8bjbwBD4NWq+9Fld3eO"
    "wKegrn30NQNq4VPRK1v1zTG2hsMAk+d/p3ywv1RIxh9ywA11TXU3M72sW+IGqPA4xn3wyOPS7kiyp1qzn1S763h7"
    "08GqSKZk+yPcHIBa0vQvqT3IBK7CDNAcoOWKHCHgua159Gz8S0gsVZpR1boWBiyfNQFyZAmiJr8QjqvmPmYSLO/b"
    "CtDQgx0M9YuboWGvfOoSZUx6oPxF8dbj2kTXQ0JzAbOwQ9LlpJoQkLheaLZ6ltTpMUVQp2oBJzr3JucFnwnhSd23"
    "v01J9RUSUJcxgWEs+KJSYI3ArlD3AyW3lStOe8AreGLB71myDUOBAMYzmMc3EG2TCrIRVic85Rp5k4WA8aCSYzRc"
    "L97oGVt9eDu4TIe5TMml42TR81I24YNntX+a8y72//T0C7rTNTllcSGKKSONypTQ5p63seFiIEcMHySKaKipQeT9"
    "Wyq+kyfcoKnHaT4mUoL1wNXRbhEHpAmWpZQ/abuMlus0PtuPuyqZhGbLWnpLspC4ar89bRMID5adXEBS8sP6oeQ1"
    "3cz90DgKOIT1xtG59wRUBzxmcATX+rkAHLdfKhHl+5Ic47Pe15fE5FwPLoXqT/mDpyuW6Vs1GiSSAvDmTZX7toQO"
    "p6pVETUL0hQiXsq/i3YfKfawjU9OO5kB+86rBHT/TcSbbjNmuU7W4CfiI4RnMAvYajNQEvx74Q7mR6aMwNiQq6hD"
    "zznPRiygRV5YVEYj"
    R"(",
"EncryptAlgo": "aes256gcm-rsa",
"KeyEncrypted": true,
"TrashDays": 0,
"MetaVersion": 1,
"MinClientVersion": "1.1.0-A",
"DirStats": true,
"EnableACL": false
})",
    true,
    false,
    "chunks/0/0/1_0_100",
    "01000c7aa5a6a77bd07d2cb2b5735c53e32ccef66aad96bf2aaba77977d847ce807098a6241d68f41e523e8c"
    "1c381568ec7419b16fa1952494a444a2c7e3dca46b7161b4888f0dd168d61c153a38b7c5e06dad3922944fff"
    "d2e00b2226d41047b8562d5793885af8d8223b35b455cd2491d338338fd3f1ad679bdd11ff792add2be8f862"
    "10b93384c022a0c62eabcffda32aceb512d9ac63c4df341467cb863a19a23304dfa5fa78800f2bce96c3828b"
    "a8c03c74c9d8b2af9c04582c4cb623edbe31fa7449b95b713d1ad1b269414ab0029ec0e308fd762c070aebc6"
    "9f2e5dd8b5373f68f1e344b7137f2aa37b05eccfa4eaa6dc493e26d9e8a117e4685fbcb96c88a53d9f742fa1"
    "5adbfa9ce7f55212a8ec27aca1d1db588f841f000413a7b3f49bb3c4d8b6381844dfd06d4ca1cbe5699d4d3f"
    "764f1af06adda347fa5f8b6cf0c61cf1648ed0a9c79066f333cf9d0cc2f2b1b4efa7d5d842df6461e2f4d267"
    "bbffa439235fed23c838df592d933068bb1a44d447d10a40af0d81dfa0c902d0194acd",
    "chunks/0/0/3_0_100",
    "01000c7e6f7c0e0abff3666d51cbfde4f9d2dd8cc09233215036b542157eff7636fa45970527dd696d657a73"
    "0a9a5fb444e8d151cf6536d8acbc116d0788b74f37bc1757c1af3edf8809077eb4ba59e08b5e14d3602055fa"
    "352b11f4401d7294307f06f6cee3d88955e679f0b8053aa9a0758c149e714e0e172470f71b16281a8ad32cb8"
    "a1d1a332574a9f7b1ce2506b0d8a92935f7fa8d89f65a71177c66f37d77bc0652f9cfde930433b6009435306"
    "be1e3553554c0d9876995916cf65c2a0fd633417a43a9bd5a72f20777ec26ceffc5d2e7fc511dfec159a4d1c"
    "0a0e5f64ba5371b28b5446975560c2651fd68205a0566dd570088ee3d0132098b34f2141c04af53f5dd25444"
    "79e6a4524c7faa765ddad2c8ef90af25978bc4619431588e1d8d20b0997c765a868229663e9a9d5050e93d38"
    "c142ea1dc4cbbc1b64e8a518f5f6ae6ee1b2b8d1220e4e585cea36c261aac4227504770d9bc5740fe22b6b9b"
    "00765242e4ef01a0fb172a224be45ba93a68ab18cc88b46e5df1d5e9be6c2f2be290e6",
    "01000c1df90847c79202beed25fe0d622c587c7ba3093c22c668757362fb42ee2b703f0247c27f03c86acb81"
    "595451b3fc7b17216e06246be2d81686756f2163c6c6d041afe410941dd8efbbf082c336360e89434f498b28"
    "eb9c6f0d4a6331e5cd550aa95bafe81f2c0df34e7499ab952932994240cf071cb1158ccad1433d99621813ac"
    "4b7838993e2dc2689697000e2a53a77ef70cb7e9f202fa7e5211993d931a856074f92ab8404fe517bc26a8be"
    "00809c977dd9b99c84004ea193d0715814617de7517c62e6beb3661f1a71139dbbbf514d5eb28714b129625f"
    "f66dfe85fd6971cf4cda89b7d329aa26a0e173a79bdb297811c0386962582acc46a71cb1418b3063cf6e38bf"
    "b2fe4a6e6d0c9392b97239e4fd911dce71ca6345ba64b5b3785be0373ad5f81e8b00b3c05884943518647cf6"
    "ac12a3655c186b2b4854553a403426"};

inline constexpr Volume kChacha20Lz4Pkcs8Key{
    R"({
"Name": "pkcs8",
"UUID": "3e5b3b09-d899-4ff0-83d5-143ce475a217",
"Storage": "file",
"Tiers": {
"0": {
"ID": 0,
"StorageClass": "",
"Tag": ""
}
},
"Bucket": "/var/jfs/",
"BlockSize": 4096,
"Compression": "lz4",
"EncryptKey": ")"
    "djSgweP43QP+rcrODukvsR1DFVPKgp3lNUy5v8T/5qzl6JNx0Zf+w27xIYVojHOHkv+ZpA+EWrX9vRqI9LdXlAi6"
    "2h3VCL9T1CIQP/0cqzjEexBCk6WLuakUUIWBqsIrPgzSEUaMfU2fKE80eufWoeHbus2in8gJQ3AwOhoGVn+z6KUM"
    "TjgWvWkAE7OilXb/T2KHfS0aJogvK56UWu467XHRiDDfDr3UtFFpmMzaeLi7Y286Sg7roK/h1mR20yTj1mkQJnko"
    "hMVFC0EzID7OM5h73ahdcHoG+fxcPpk4ceFWVtBxtztd3CBmWOu1ePezs7lyGDjI5YAX1AfaMQ8bgraezFC9Sdce"
    "zbtUeeSSgiaNRmVBbOxxSGtB9c0jpfeUv6pjAyZJ9QlLPMXdgVj8z8ouRkayN7PHuX6coNIMuFUzDb8KQChcpJAW"
    "+RUymGjmc6PDmNhxV5mYOc6tKWWE55CHUfFrLXcGz3ssuuH3WF8O0n5b31rXX+TS7i+ilrYJdUS0gCdoARAdpWFK"
    "Xek3c6vMJXyAjICluDtpAHIiCn6nc6sSv5u7iS33oO50KVaa6+TOMtMUaxKcisxgRYpA2Ivhvd27E2DG5JGD67dV"
    "+mQAdjNYTfGvB73ck2SdVggpiklZ/OTHuOW99Cbbj6ytufZ3KlF2niPMZ2BORm0+4m1txo4+RIdm7xSJetZLBZSq"
    "BitfbTQoNcldTAbtNa8c2bcwEj4UiwR+b2+ECql8VCmgpvSUMl1gxif5RqsD3V8mxz6bqVnfKv6oSsYLqDvIpIxW"
    "Oc+OArFRBQ9X2KoF4T/RGMwdLsgXGRQ77XjojiwDrIpsOv5G+CQvqOeZqJFJR8qxaYNmONvtoj+ARKPSBBS5/V6f"
    "zL4Y+seyUw1mJldtY9kWnlgnUq8TRtqsEvaKKzpd3a0FKqJTYE7k4U5xldXt81zjNTN9QMctKWsBCwDjSrYjblsR"
    "lC85ONqpV6OORwEo96cuAZTql8HSP1jD/HD0SRSwSrWszgQCIv3MMDLjnNouMXVXGGK56t9LlLx4a1lvfIcqBeNN"
    "cHAXIrjeHLH/yWYLzJbGn+d/xwTcOSIHT4KmZdfn8GfTLnIQjJ7dgIagyvF10pDwmFtiZ08JJy46wiPkWCxLRLPD"
    "llYCqdKt3Jxkry/4hYSuLzhR6FYiFvITVIpSic5gZU3putR+ghCXlsscheS02mkieYG9k3xljm7y1KhF/mZwQanW"
    "5CsSqtUo7ZI9nh6O50hUvLNQR82twdb6V6ek7faPcUJ24Hk1J2qYWLN/KjMr5pmxL+K0uTmMmXgNn92wT7BY+PTa"
    "axgD44wZTYbERgpLniyBddX9w7/PGjwScpmRBlGFJY0qzVjPNZV7QeLdjIb7XLza1Rs1JbPvY4JXmeE2EwbpwEM8"
    "306vNzhXxzv3zQ8qTqcSO8Zkul0O064a4Fiyy51ijzS5pG7q6yLTqGuKM4/L5npixRb//Ui/HF5tKii0qwyjcMM1"
    "gnrsgTwD7Sl1UYDvlpVPiP9F669QEv6iewiEHx37RY2yS2tngW+51DCcSflknTRNqAxf3qrj2NDvVjAJCc0Mj0yw"
    "fTKo4gTw+LOQYrLsYH3wwTYBquMlMLKRR1OwFIsE0lzah66rMSnkEsiOG6Pl5kjBJxd1j0MdeEnZKlMwPCiNcLeJ"
    "YjpSJ7fV5d5WcPNuqoFX3KhSvy6f0VoA5C8Oge90xn+TVABeSSAcgi1bHOgDt+6oVjdSG7MeL/sndaIKC6oyJVek"
    "9nheh7ig9Qv/wznT3teZwkCwqi7U9s8H+6B5PBJdP6cQJwfkelF4AX8ihJDO7PQXI/CF5CMEdgQ49ShjbkPEGg1I"
    "TeBDnvKnGw4d7IQKG1PiRSxEQwl1CDfaDA4WdXBSNUm/xC1bI0DX0ETgq8jfXaB8hnvIu+aD20pETL1GoxMkc6+2"
    "ctl20l+sQjq6YLzC6WXqWbhxcxofkuYwM9cqslWSZJ9vGOiXgmb/ylaStKfGde7ekv6TWSmESMzKgMzDByFhoYPz"
    "xJ+k+p2qfZH4I+6OGwH7CKwB+L+xI5Ep6RigS8uThRcp7Bn3r0xFX6bKfg2OquSzQhp2d1e2ga4a9EH3pYusaFFq"
    "BB9Ua3NN1Ote28Ak5NRkYoJsZaAcU+QMfem+R4Vxyf8qCt72/MrNp6jA1gT1y8+UG1K4FhOH9ONEAFbTkTpSCjx1"
    "Xd5dLOI250IQ01qGoEqvVIaD0SjPeBF07S6rDjarHVGSEr/xT4gLZQi2JSBBH/EEr99F2G1cqVJsstdq7Gf1PgWg"
    "Umv7p5gSYr0xGJycxd52wAmtpto2wr9cVRTgt37+l4YrD+Nl+3dbYVVICW9RIVARX9vghDrz1UNCAJNoi5aF/A4s"
    "wqTQt0l9yRN3K9u0pUDf7RN0OSztRQVCwCqFMl1xp6b9rUpAo53U1W0KKylqHk2sYF4fp8pM7xzcE2qOXdUYd6Fs"
    "aXJm0dTV/OINmTiyi5PEUASbCPT6ybJPZsbyaJuPcaVoGhCs3IXowR1h5CXCUoz9mKHkVzvX"
    R"(",
"EncryptAlgo": "chacha20-rsa",
"KeyEncrypted": true,
"TrashDays": 0,
"MetaVersion": 1,
"MinClientVersion": "1.1.0-A",
"DirStats": true,
"EnableACL": false
})",
    true,
    false,
    "chunks/0/0/1_0_100",
    "01000c03e780fb887bdbea34ac812b400e2f3ea182827dc4fd3de0bb322615760c3f64588ee5256468bf68f8"
    "d9563e3350c5670a0be797e5add31f170477175b1460d3d30818e136b2f0e0df334ec04ff18af276abebce28"
    "392d160f2bd9e151774d7d1b10cd1c2117f7fe656ea994acf9ed80a0aa79656cccbfb840ce7a6c0709145010"
    "61aaf71787c3a25fea0df54eaf66c4dbca7834464bb87ff3a1570d9a3fe00bada86938ccfba94b9afde0f259"
    "435e998cdff4aa8cecee6546f3e818a7d5cdc0efe1158d63367a8b95112a3a1a6ac1831d2b35cd53668d0e2b"
    "aa514612d0cd763efc3bc1693150a55a61730dfd1f1ff1e0fcb9d448aa59ea4f130e49fdc0d6a0a5d16dfe34"
    "daebb9f165a3e377c05c7ef7a9a27021ceb4d0813a02cfcc212f109ce3565376836d9dab2c27be33d897e844"
    "2d30d4d9d5391f36b9d620aac27b0ead9a549caf144c7b0c7905",
    "chunks/0/0/3_0_100",
    "01000c8f351edcf283799aad982748d06df9e16cd8ac8bea1eeee91e168c1c0f873b4fd3da7d9ef9127a7cb4"
    "ad423e9cb41e36185e0e9e25b30fb3dbdbabddaea6dd4ac4ba131a2313622f5fe3d7991c979691d75d117af6"
    "d2a4d835aad4ac689870f81f764431ce75287fb60e19313a69426031be2e1361ff5d12370fd2ed5b161820e6"
    "1ad935a29d1570e82c66ccca71d8529b3577d585122727457780cc976e5c85f65db9343fadf89feb3720a027"
    "6173fec7e2fcd05ff38126bdec0d5b13d93597ae94a889bca9c21bf3e3bee3311d13dc5529757110749cb810"
    "a1aaee205b8ef3db2f49ea2a8373d5067aea565483af3100509d98cda0c19887c3914b8de8fec26ac0a2bd5c"
    "4d943990b88030526d67b6e554de4bd3727f3e29d9fc1ff2172bb454b09d42ab766c28a56a80337ed14dcd92"
    "d3f858eb5fdfff7846ff48f881ef632cffd81640fcf165803d425fc2f3e5ca3f03b81cbb58aca055d621ade0"
    "43dad8af26152630cbe7711ecd0026a933887c69f2f6fd21ff3788a9ea846bb5c35c17de4c",
    "01000ca17a64bdecfbdffb6bb5c37e65f82cd1507a362e23e0824172aed61dda6544d2bed5503c68ad0b821d"
    "5f1a92cf2de6cba86930988b86fc2c0c382d6289f77feb5fb1667360da01d2c8ce2b3f89bc632304707f9e5e"
    "9bab5329251efe068251db1151d14e96e960297477ab464b2ccf5938e9ad9034c96f989a975a9a43e464ac8b"
    "8a2389eba678fbca36d2fdc3dbd87c21f2cec78c0cf0bf80c267c0f3ff5b71fcbc4e395caadff709977d3ff8"
    "6838db18f51d4fc3c5623b9de8a32353806f7681f4ea660c3e79705395b384ab18ce45b2cde0089a440582db"
    "caa03116721cb776c20f37c451e52a2de3bfbb6d0ab371031e88117e30fb33e7ed49e9643780474928f7d871"
    "e5ec83a038386738b7da6d8ec75b5a483ebe2fde6657d6311393570e43d4c69358d24181aa678371b4ab11cb"
    "13ce41c78135ef2b8236c10ab01a08"};

inline constexpr Volume kAesZstdPkcs1Key{
    R"({
"Name": "pkcs1plain",
"UUID": "40f530f7-6cde-4567-b30e-9a3f38f65c9d",
"Storage": "file",
"Tiers": {
"0": {
"ID": 0,
"StorageClass": "",
"Tag": ""
}
},
"Bucket": "/var/jfs/",
"BlockSize": 4096,
"Compression": "zstd",
"HashPrefix": true,
"EncryptKey": ")"
    "pqRoBIcco2VSrHyqpWSZ/MOON6HcqJvL8Op26fN2vf4NVZ1c4bIobjQUnH6ozzQ+/nnwhh1PWnh3aL9ZDmgh9BUh"
    "gyp3BIemIMi9XB6lUaHha+d4trMnAJixsVqfqIiLGU+lU4ivWRw154G0Ajql7IsTa8TzKIVMaCkQbr7h0bbIAB1z"
    "S+Jzqw+vTQ4uQ5GImyPNNRAK/CXaVikLM6r63ezJBZHh0jkoawVLch0q6hqZwhkSTnAddLMuqbG+hfBgSFrhEW4i"
    "Vs7KaGb906AX3CCdyzk+GyEVYQ+v4UXmODTsmg4Snw5dTiogCUlyYjm7I7mBHe0uq33KCHXt4nVIc+tk0Zun8HvN"
    "KUZn8kmtD/pET1rkDv97yX+XQpXzjv9mPxna+JLBZIFFK/0pZUHjZT5/TySvcLanG9dSNBDBkfkyEdGhJpCR7dfp"
    "XafrR6x6yXEVkQ7mLmrqhp5j3g5m4NlaknluZz7VAEqqCJwa6oI0n/e9xQiL3gqL8EPj1EF4fMd94iaZvi9lR32n"
    "6635WwiCwvJOSGkcD7HQtE5FEtkhjKBuea4AOHSFngMC9zBZgtaY/72Lb4pmnHEqmVf/c385NKPTtdXpqPLX6acW"
    "mmMFPN6gDbhHY01d7BpCND/reM09VcvOp/MNbv7+3luQGkPk5TH0swycNLbPVxMThOuGsyzUtE1+Ea3sk8xIwKIZ"
    "ErmuzBV16kEMDVA6/d/DnNQlZlBMTwGX9ZaCa/n5ELdpMlsAnKgu1L899lFzY91q0CGSUylT2o3dq+AcdqfiNSBM"
    "B2iT06UlDB5MW7EQ/+S+N+I/YoCV8PuSoKmeXahF7+MD7Qc2PYNRPgkdJPRChsWtKCh+BZOfiL4XmTmmr1hdbYLb"
    "85Z12fRZJicl/bXxjasU/sWiaFPOKcf+dArsEu9mqzp1qDg2rN+hIoEMxKhVOfQD6haNTxkehvtcY8KygC/Bls6j"
    "4lS/ahlZrEktkS3h3IH7DI7h+TXihaD9qe0jxERvEyelxtBE5sCLJSGJ0xTc37XbJRS7h5VAfvAE5NHQ1G4f7o5Z"
    "B4Dv96JOHnW4YVXHidMQBcsdYT2Z9zJZEuk2V9da4Ah2Uvu27ylD+yrHD6FykZq9kS3vi6KB8GQfHj32vLhmg8Na"
    "4C8Qf9SxFeC5oyr0JRSyae5kJZ647/K6seRCDQZA7a21kVpSXTtkJvJTl4dPvMeVHe3CrDzLRVbAZ/BnvkflaLS6"
    "YkPlqZOWjPo8tkx9d/dvuOnUrcVDlvontbzsrnJ4/t56c16YvC9Su+igq58d/epU4vxa7hCJV4A4UfObj7X7tLP/"
    "HEZTBusohNCLJqWgZDwKu1RiEXdfCZux49Kw0K00DWnJE5wBKOa8zsRGbybgYTt0EntJhNEXcMMDTAb2tEgmEiRX"
    "FD+GSBh4gqRyMPUl8oZ8pYdl/HtbttPR0Zu57XwMl2nJ2nD9TKXKnGGo72u29aVUwAIuNNlhAHgJCDmEGx52CCNX"
    "mdxl4LbRZetzI/WZOCvsWlRerD+G7LCQ46u9httaibYAKvm1nMswNmZZtdk9BSTOtf9QrFrY0Ogad91roq1z5hzS"
    "m9ItqZO0xPawqNDlk53MoPrkX26VPZBVqqEgaY4dBRYLrcsT5pcFIVVjuHToESNe+j+SuuqrbgeZuq6LoWCkbdH2"
    "8dpV3cSU2bTZc8lM5zP1ovAjpud+hOXMbYxunn63sPa8ZLVEoXSXAydok6/JGYZGfKp9x09B/SM3ItExa3/B+q1a"
    "pIZfitSYXO7frDwJYTlm6TSZQjzaRfggg1cUad7NIDOTorBMRCuJ8HJYsVMKsk+pwfSdHFlX8mwkP33WJIsPoJF8"
    "6R4EN6cMRryE6baN4ggSFWd7QHfBjPi/w+eGLTYmNKEjSPz9Ipub+AQBt3ndGOIEqup+jmeApa03mCbMXuNjkAl3"
    "Loay+IakuwJtEqC0skdfP1ktBoCueVN0y8AC1g0G3rc1+SuTpeoWa0+WvBclUtSZeMJUkFnvPt3DqY6vw04UIWRP"
    "l7B4vvQ8erFUk/FtFD41wiIdgM7pcbKnZslJicBGkJaHoQwhhbnI466iKC7qzZIKTINEcAb4aLvEzBCOtLGOo6YQ"
    "0L6AnxRispBZSN6noSaMVtff3dROOpenTtet1aXsnwhfOvJSXOLa7oyL17LknxTQ1gTn2OuUVoWii+vzTZGVx2rN"
    "gSuX9+L6n4x5GFYVAGKwBttAG25INWO866bTv70DZ4SuQTzqQpHVK8/7e5C6G0oDiEA/tyc="
    R"(",
"EncryptAlgo": "aes256gcm-rsa",
"KeyEncrypted": true,
"TrashDays": 0,
"MetaVersion": 1,
"MinClientVersion": "1.1.0-A",
"DirStats": true,
"EnableACL": false
})",
    false,
    true,
    "chunks/01/0/1_0_100",
    "01000c7f9cd1fb95a2af37fd5e41a28e4261b5d0b16bd44332043b15f8421ece0ee96a3d2f1f335887357469"
    "83347deee51a7dd59cf49adb0d7661d493ca28dbed4b4482442a2b05aa9f638ef3d6455cadcf3aac61474d8d"
    "02c54fdda16fb2ca93875fd722f179d33c14f477f538e85ed360f40f30d4686dfe54537a29bd308fed8e94a1"
    "70cb61a0b9f9e83b273c47b5265c8dc2ddf94c95d212e182785e2574b89ddbbccce6655427eecc836eb57390"
    "ce2293276446530db91ebcbf1fe77d6d10083f3b1b51bdadd4d684d8fbbeee711fa89e7d5884eefb8afb51d0"
    "338e9a7b76beeec28be3c533c611a24d2210d67f137056906b90a3b402058300fff1d439235f99d79b62b50f"
    "72d173596d8728a6c7ce2dc4f34211be7f6fb9114f545060558dd9bb2762548186367cd8c21d53b0d8b49768"
    "e813c521354b6d10a4e4ca23ffd07220ba073e56b1e3f9",
    "chunks/03/0/3_0_100",
    "01000c3a13ef9237a48a7b8bcc24e4193564a341ff55a103f55a1d60e9299f4e1d0572e66d28ca6dc351dae4"
    "aec8ffbc91ee63bd934c6f7d8ceca883ddab8e524b1f20d6e2a6448e7c518bcf097f4f43e1210ef5c6a27f27"
    "f37264aabc9eafb86f7297193c2af4b18220b52e67eb6dfd65be0eb21f3c74bb9c58a0898399b9c1f70349ea"
    "3a3f4a846b17df754af748b0c6571fe74046aedd1f8cf73de76a6bd26bc6733737f0e691f55e2046e7047022"
    "35f7da2923012feb809c6289de9ac90074498a14b9cb9df47adc3f1e490214754a4c0d73389e02b322752531"
    "22e5013883e61bfcbc4263455ad1a2b7f5d39bcbed64974dbac563879bb50c98e49fb6a3a6386d36350eb701"
    "18ac8ffd4d3fa7a8a1eb61067613d2be5a491c9a47857ba586adcf6c178c3ffeebbc7229e459d580de64aaf4"
    "dcbdef0611e946611806baf7391054c46327099768208be0df86f384a8490294cf9ffbf97b230fb621b902e6"
    "3eee299af46cbd27f0cdc986b055558bea94f876478850555427444c4abdbccc6471cdfea8194cab314b7fb2",
    "01000cad2fcd00b1f2b1ef91dfe742224b5d5f2a8043a9087e69d02ea4c5eb572002908591af417f93dfd1d2"
    "e4db65a33293dc7fcf839eae9f9cef8f095d733acbce3c82d2ec51e2dab59c6691b2990bd4a2d98e49dd5669"
    "81afa7e5ce8162a86ff6ec42238a2a2708f380e11794aee016b99913eeeb7ef32ea7df8c1f5408396b2c5688"
    "39f598c22e8c06731642e1edbaf7da5ad853ea09600dafc9bafb8da31c910c034f16807b1b7d6fab57b42981"
    "170663615c9e1d9ba66bf204830777e27a5f7afd83fb2ac4b64fe60ec15f320e850fbc2636053fc744b50f7d"
    "043f11acdbd733e88e3075a0ce8edef5facedf1b8d103be2263cb75031caf2e48fa682beaca4dda81f5c18c4"
    "11cc71ce43f4ec03c389b6cafe2faeaf6a678eda317f6473d6a3e1f6c354b437222ee69cb2cf2433c9f133cf"
    "68778e3ca7b8f68f5b7790088ecfb4"};

inline constexpr const Volume* kAll[] = {
    &kPlain, &kLz4, &kZstd, &kAesLegacyKey, &kChacha20Lz4Pkcs8Key, &kAesZstdPkcs1Key};

// Records of the file of the volume `lz4`: inode 2 of 100 bytes in the root, mode 0644.

inline constexpr std::string_view kFileAttribute =
    "0011a40000000000000000000000006b06045f08839acd000000006b06045f088be657000000006b06045f08"
    "9acc9600000001000000000000006400000000000000000000000100";
inline constexpr std::string_view kFileSlice = "000000000000000000000001000000640000000000000064";
inline constexpr std::string_view kFileEntry = "010000000000000002";

}  // namespace prewarm::juicefs::real
