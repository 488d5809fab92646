/*
 * test_metainfo.c - a table of torrents, good and hostile (reliability rows B06-B08, B14-B18, B20, V04-V06, V09);
 * every key with every wrong type; every cut; what stands beside the info.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "tests/unit/torrents.h"

#define H20 "AAAAAAAAAAAAAAAAAAAA"
#define PS "12:piece lengthi16384e"
#define P0 "6:pieces0:"
#define P1 "6:pieces20:" H20
#define P2 "6:pieces40:" H20 H20
#define P3 "6:pieces60:" H20 H20 H20
#define V1(files, pieces) INFO("5:filesl" files "e4:name1:N" PS pieces)
#define V2(tree) INFO("9:file treed" tree "e12:meta versioni2e4:name1:N" PS)
#define HY(tree, files, pieces) INFO("5:filesl" files "e9:file treed" tree "e12:meta versioni2e4:name1:N" PS pieces)
#define F(len, path) "d6:lengthi" #len "e4:pathl" path "ee"
#define PAD(len) "d4:attr1:p6:lengthi" #len "ee"

struct row {
	const char *why;
	const char *torrent;
	const char *want; /* the description; or "! " and a piece of the fault's text */
	int err;
};

/* clang-format off */
static const struct row rows[] = {
	{ "v1, one file", INFO("6:lengthi5e4:name1:N" PS P1), "v1 single 16384*1 5 of 5 | N:5@0", 0 },
	{ "a newline at the end", INFO("6:lengthi5e4:name1:N" PS P1) "\n", "v1 single 16384*1 5 of 5 | N:5@0", 0 },
	{ "v1, files", V1(F(5, "1:a") F(16384, "1:b1:c"), P2), "v1 16384*2 16389 of 16389 | N/a:5@0 N/b/c:16384@5", 0 },
	{ "keys unsorted: accepted, hashed as they stand", INFO("4:name1:N6:lengthi5e" P1 PS), "v1 single 16384*1 5 of 5 | N:5@0", 0 },
	{ "all files empty", V1(F(0, "1:a") F(0, "1:b"), P0), "v1 16384*0 0 of 0 | N/a:0@0 N/b:0@0", 0 },
	{ "one empty file", INFO("6:lengthi0e4:name1:N" PS P0), "v1 single 16384*0 0 of 0 | N:0@0", 0 },
	{ "path.utf-8 and name.utf-8 come first", INFO("5:filesld6:lengthi1e4:pathl1:ae10:path.utf-8l2:\xc3\xa4" "eee4:name1:N10:name.utf-8" "1:U" PS P1), "v1 16384*1 1 of 1 | U/\xc3\xa4:1@0", 0 },
	{ "an empty name.utf-8 does not", INFO("6:lengthi5e4:name1:N10:name.utf-8" "0:" PS P1), "v1 single 16384*1 5 of 5 | N:5@0", 0 },
	{ "attributes", V1("d4:attr2:hx6:lengthi1e4:pathl1:aee" "d4:attr1:l4:pathl1:be12:symlink pathl1:aee" "d4:attr3:?qx6:lengthi0e4:pathl1:cee", P1), "v1 16384*1 1 of 1 | N/a:1@0+eh N/b:0@1+l N/c:0@1+e", 0 },
	{ "a pad at a piece's tail", V1(F(5, "1:a") PAD(16379) F(7, "1:b"), P2), "v1 16384*2 12 of 16391 | N/a:5@0 N/.pad/16379:16379@5+p N/b:7@16384", 0 },
	{ "a pad in the middle of a piece", V1(F(5, "1:a") PAD(9) F(7, "1:b"), P1), "v1 16384*1 12 of 21 | N/a:5@0 N/.pad/9:9@5+p N/b:7@14", 0 },
	{ "a pad at the very end", V1(F(5, "1:a") PAD(100), P1), "v1 16384*1 5 of 105 | N/a:5@0 N/.pad/100:100@5+p", 0 },
	{ "two pads at the very end", V1(F(5, "1:a") PAD(100) PAD(10), P1), "v1 16384*1 5 of 115 | N/a:5@0 N/.pad/100:100@5+p N/.pad/10:10@105+p", 0 },
	{ "V09: a pad longer than a piece", V1(F(5, "1:a") PAD(32768) F(5, "1:b"), P3), "! padding fills the whole of piece 1", SHOAL_ERR_MALFORMED },
	{ "V09: two pads that make a piece", V1(F(5, "1:a") PAD(16379) PAD(16384) F(5, "1:b"), P3), "! padding fills the whole of piece 1", SHOAL_ERR_MALFORMED },
	{ "V09: the last piece is padding", V1(F(16384, "1:a") PAD(5), P2), "! padding fills the whole of piece 1", SHOAL_ERR_MALFORMED },
	{ "V09: all is padding", V1(PAD(5), P1), "! padding fills the whole of piece 0", SHOAL_ERR_MALFORMED },
	{ "a lone file that calls itself a pad", INFO("4:attr1:p6:lengthi5e4:name1:N" PS P1), "v1 single 16384*1 5 of 5 | N:5@0", 0 },
	{ "an odd piece length", INFO("6:lengthi5e4:name1:N12:piece lengthi1025e" P1), "v1 single 1025*1 5 of 5 | N:5@0", 0 },
	{ "1 KiB", INFO("6:lengthi2048e4:name1:N12:piece lengthi1024e" P2), "v1 single 1024*2 2048 of 2048 | N:2048@0", 0 },
	{ "64 MiB", INFO("6:lengthi2048e4:name1:N12:piece lengthi67108864e" P1), "v1 single 67108864*1 2048 of 2048 | N:2048@0", 0 },

	{ "B15: 0", INFO("6:lengthi5e4:name1:N12:piece lengthi0e" P1), "! piece length 0 (must be 1 KiB to 64 MiB)", SHOAL_ERR_RANGE },
	{ "B15: -1", INFO("6:lengthi5e4:name1:N12:piece lengthi-1e" P1), "! piece length -1", SHOAL_ERR_RANGE },
	{ "B15: 1", INFO("6:lengthi5e4:name1:N12:piece lengthi1e" P1), "! piece length 1 ", SHOAL_ERR_RANGE },
	{ "B15: 1023", INFO("6:lengthi5e4:name1:N12:piece lengthi1023e" P1), "! piece length 1023", SHOAL_ERR_RANGE },
	{ "B15: 64 MiB + 1", INFO("6:lengthi5e4:name1:N12:piece lengthi67108865e" P1), "! piece length 67108865", SHOAL_ERR_RANGE },
	{ "B15: 2^31", INFO("6:lengthi5e4:name1:N12:piece lengthi2147483648e" P1), "! piece length 2147483648", SHOAL_ERR_RANGE },
	{ "B15: 2^32 + 16 KiB", INFO("6:lengthi5e4:name1:N12:piece lengthi4294983680e" P1), "! piece length 4294983680", SHOAL_ERR_RANGE },
	{ "B15: 2^63 - 1", INFO("6:lengthi5e4:name1:N12:piece lengthi9223372036854775807e" P1), "! piece length 9223372036854775807", SHOAL_ERR_RANGE },
	{ "B15: -2^63", INFO("6:lengthi5e4:name1:N12:piece lengthi-9223372036854775808e" P1), "! piece length -9223372036854775808", SHOAL_ERR_RANGE },
	{ "B15: v2, no power of two", INFO("9:file treed1:a" LEAF(5) "e12:meta versioni2e4:name1:N12:piece lengthi16385e"), "! power of two", SHOAL_ERR_RANGE },
	{ "B15: v2, 8 KiB", INFO("9:file treed1:a" LEAF(5) "e12:meta versioni2e4:name1:N12:piece lengthi8192e"), "! power of two", SHOAL_ERR_RANGE },
	{ "B15: v2, 128 MiB", INFO("9:file treed1:a" LEAF(5) "e12:meta versioni2e4:name1:N12:piece lengthi134217728e"), "! power of two", SHOAL_ERR_RANGE },
	{ "no piece length", INFO("6:lengthi5e4:name1:N" P1), "! no piece length", SHOAL_ERR_MALFORMED },

	{ "B14: one hash too few", V1(F(16385, "1:a"), P1), "! 1 piece hashes for 2 pieces", SHOAL_ERR_MALFORMED },
	{ "B14: one too many", V1(F(16384, "1:a"), P2), "! 2 piece hashes for 1 pieces", SHOAL_ERR_MALFORMED },
	{ "B14: no multiple of 20", V1(F(5, "1:a"), "6:pieces19:AAAAAAAAAAAAAAAAAAA"), "! 19 bytes, no multiple of 20", SHOAL_ERR_MALFORMED },
	{ "B14: 21", V1(F(5, "1:a"), "6:pieces21:A" H20), "! 21 bytes, no multiple of 20", SHOAL_ERR_MALFORMED },
	{ "B14: a hash for nothing", V1(F(0, "1:a"), P1), "! 1 piece hashes for 0 pieces", SHOAL_ERR_MALFORMED },
	{ "B16: 2^31 + 2^31", V1(F(2147483648, "1:a") F(2147483648, "1:b"), P1), "! 1 piece hashes for 262144 pieces", SHOAL_ERR_MALFORMED },
	{ "B16: 2^47", V1(F(140737488355328, "1:a"), P1), "! for 8589934592 pieces", SHOAL_ERR_MALFORMED },
	{ "B16: 2^47 + 1", V1(F(140737488355328, "1:a") F(1, "1:b"), P1), "! more than 2^47 bytes", SHOAL_ERR_RANGE },
	{ "B16: 2^62 four times", V1(F(4611686018427387904, "1:a") F(4611686018427387904, "1:b") F(4611686018427387904, "1:c") F(4611686018427387904, "1:d"), P0), "! more than 2^47 bytes", SHOAL_ERR_RANGE },
	{ "B16: 2^63 - 1 and 1", V1(F(9223372036854775807, "1:a") F(1, "1:b"), P0), "! more than 2^47 bytes", SHOAL_ERR_RANGE },
	{ "B16: 2^63", V1(F(9223372036854775808, "1:a"), P0), "! not bencoded", SHOAL_ERR_MALFORMED },
	{ "B17: a length of -1", V1(F(-1, "1:a"), P0), "! file 0 has the length -1", SHOAL_ERR_MALFORMED },
	{ "B17: a lone one", INFO("6:lengthi-5e4:name1:N" PS P1), "! has the length -5", SHOAL_ERR_MALFORMED },
	{ "B18: no files", V1("", P0), "! no files", SHOAL_ERR_MALFORMED },
	{ "B18: no files in the tree", V2(""), "! no files in the file tree", SHOAL_ERR_MALFORMED },
	{ "B18: only folders in the tree", V2("1:ad1:bdee"), "! no files in the file tree", SHOAL_ERR_MALFORMED },
	{ "length and files", INFO("5:filesl" F(5, "1:a") "e6:lengthi5e4:name1:N" PS P1), "! both length and files", SHOAL_ERR_MALFORMED },
	{ "neither", INFO("4:name1:N" PS P1), "! neither length nor files", SHOAL_ERR_MALFORMED },
	{ "no name", INFO("6:lengthi5e" PS P1), "! no name", SHOAL_ERR_MALFORMED },
	{ "no pieces and no tree", INFO("6:lengthi5e4:name1:N" PS), "! neither pieces nor a file tree", SHOAL_ERR_MALFORMED },
	{ "no path", V1("d6:lengthi5ee", P1), "! file 0 has no path", SHOAL_ERR_MALFORMED },
	{ "an empty path", V1(F(5, ""), P1), "! file 0 has an empty path", SHOAL_ERR_MALFORMED },
	{ "a number in a path", V1(F(5, "1:ai5e"), P1), "! path of file 0 holds no string", SHOAL_ERR_MALFORMED },
	{ "a list in a path", V1(F(5, "1:al1:bee"), P1), "! not bencoded", SHOAL_ERR_MALFORMED },
	{ "a list of lists in a path", V1(F(5, "1:al1:be"), P1), "! path of file 0 holds no string", SHOAL_ERR_MALFORMED },
	{ "no length", V1("d4:pathl1:aee", P1), "! file 0 has no length", SHOAL_ERR_MALFORMED },
	{ "a symlink with bytes", V1("d4:attr1:l6:lengthi5e4:pathl1:aee", P1), "! symlink of 5 bytes", SHOAL_ERR_MALFORMED },

	{ "B06: two info", "d4:infod6:lengthi5e4:name1:N" PS P1 "e4:infodee", "! a key comes twice", SHOAL_ERR_MALFORMED },
	{ "B06: two pieces, far apart", INFO(P1 "6:lengthi5e4:name1:N" PS P1), "! a key comes twice", SHOAL_ERR_MALFORMED },
	{ "B06: two length in a file", V1("d6:lengthi5e6:lengthi5e4:pathl1:aee", P1), "! a key comes twice", SHOAL_ERR_MALFORMED },
	{ "B06: twice where nobody looks", "d4:infod6:lengthi5e4:name1:N" PS P1 "e1:xld1:bi1e1:ai1e1:bi1eeee", "! a key comes twice", SHOAL_ERR_MALFORMED },
	{ "B07: something behind it", INFO("6:lengthi5e4:name1:N" PS P1) "x", "! not bencoded", SHOAL_ERR_MALFORMED },
	{ "B07: two newlines behind it", INFO("6:lengthi5e4:name1:N" PS P1) "\n\n", "! not bencoded", SHOAL_ERR_MALFORMED },
	{ "no dictionary", "le", "! a torrent is a dictionary", SHOAL_ERR_MALFORMED },
	{ "no info", "de", "! no info dictionary", SHOAL_ERR_MALFORMED },
	{ "nothing", "", "! not bencoded", SHOAL_ERR_MALFORMED },
	{ "B01: 32 deep is good", "d4:infod6:lengthi5e4:name1:N" PS P1 "e1:x" "llllllllllllllllllllllllllllllleeeeeeeeeeeeeeeeeeeeeeeeeeeeeee" "e", "v1 single 16384*1 5 of 5 | N:5@0", 0 },
	{ "B01: 33 deep is not", "d4:infod6:lengthi5e4:name1:N" PS P1 "e1:x" "lllllllllllllllllllllllllllllllleeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee" "e", "! nested deeper than 32", SHOAL_ERR_TOO_LONG },

	{ "v2, one file is named by its key", V2("1:a" LEAF(5)), "v2 single 16384*1 5 of 5 | a:5@0R", 0 },
	{ "v2, a file beside an empty folder", V2("1:a" LEAF(5) "1:bde"), "v2 16384*1 5 of 5 | N/a:5@0R", 0 },
	{ "v2, a file in a folder", V2("1:ad1:b" LEAF(5) "e"), "v2 16384*1 5 of 5 | N/a/b:5@0R", 0 },
	{ "v2, each on a piece of its own", V2("1:a" LEAF(5) "1:bd1:c" LEAF(20000) "1:dd0:d6:lengthi0eeee1:e" LEAF(7)), "v2 16384*4 20012 of 49159 | N/a:5@0R N/b/c:20000@16384R N/b/d:0@49152 N/e:7@49152R", 0 },
	{ "v2, all empty", V2("1:ad0:d6:lengthi0eee1:bd0:d6:lengthi0eee"), "v2 16384*0 0 of 0 | N/a:0@0 N/b:0@0", 0 },
	{ "v2, attributes", V2("1:ad0:d4:attr2:xh6:lengthi5e" ROOT "ee1:bd0:d4:attr1:l12:symlink pathl1:aeee"), "v2 16384*1 5 of 5 | N/a:5@0+ehR N/b:0@16384+l", 0 },
	{ "meta version 3, whatever else is in it", INFO("9:file tree1:x12:meta versioni3e"), "! meta version 3", SHOAL_ERR_UNSUPPORTED },
	{ "meta version 1", INFO("6:lengthi5e12:meta versioni1e4:name1:N" PS P1), "! meta version 1", SHOAL_ERR_UNSUPPORTED },
	{ "a tree and no version", INFO("9:file treed1:a" LEAF(5) "e4:name1:N" PS P1 "6:lengthi5e"), "! a file tree without meta version", SHOAL_ERR_MALFORMED },
	{ "a version and no tree", INFO("6:lengthi5e12:meta versioni2e4:name1:N" PS P1), "! meta version 2 without a file tree", SHOAL_ERR_MALFORMED },
	{ "a v1 list without hashes", INFO("9:file treed1:a" LEAF(5) "e6:lengthi5e12:meta versioni2e4:name1:N" PS), "! a v1 file list without pieces", SHOAL_ERR_MALFORMED },
	{ "V05: the root is a file", V2("0:d6:lengthi5e" ROOT "e"), "! file and folder", SHOAL_ERR_MALFORMED },
	{ "V05: file and folder", V2("1:ad0:d6:lengthi5e" ROOT "e1:b" LEAF(5) "e"), "! file and folder", SHOAL_ERR_MALFORMED },
	{ "V05: folder and file", V2("1:ad1:b" LEAF(5) "0:d6:lengthi5e" ROOT "ee"), "! file and folder", SHOAL_ERR_MALFORMED },
	{ "V05: a node that is no dictionary", V2("1:ai5e"), "! no dictionary", SHOAL_ERR_MALFORMED },
	{ "V05: a leaf that is none", V2("1:ad0:i5ee"), "! file 0 of the tree is no dictionary", SHOAL_ERR_MALFORMED },
	{ "V05: no length", V2("1:ad0:d" ROOT "ee"), "! file 0 of the tree has no length", SHOAL_ERR_MALFORMED },
	{ "V05: no root", V2("1:ad0:d6:lengthi5eee"), "! file 0 of the tree has no root", SHOAL_ERR_MALFORMED },
	{ "V05: a root of nothing", V2("1:ad0:d6:lengthi0e" ROOT "ee"), "! empty and has a root", SHOAL_ERR_MALFORMED },
	{ "V05: a short root", V2("1:ad0:d6:lengthi5e11:pieces root20:" H20 "ee"), "! is no hash", SHOAL_ERR_MALFORMED },
	{ "V05: padding", V2("1:ad0:d4:attr1:p6:lengthi5e" ROOT "ee"), "! is padding", SHOAL_ERR_MALFORMED },
	{ "V05: a length of -1", V2("1:ad0:d6:lengthi-1eee"), "! has the length -1", SHOAL_ERR_MALFORMED },
	{ "V05: one name twice", V2("1:a" LEAF(5) "1:b" LEAF(5) "1:a" LEAF(5)), "! a key comes twice", SHOAL_ERR_MALFORMED },
	{ "B16: v2, 2^47 + 1", V2("1:a" LEAF(140737488355329)), "! more than 2^47 bytes", SHOAL_ERR_RANGE },
	{ "B16: v2, over it by alignment", V2("1:a" LEAF(140737488355327) "1:b" LEAF(1)), "! more than 2^47 bytes", SHOAL_ERR_RANGE },
	{ "B16: v2, 2^63 - 1", V2("1:a" LEAF(9223372036854775807)), "! more than 2^47 bytes", SHOAL_ERR_RANGE },
	{ "more pieces than we hold", V2("1:a" LEAF(140737488355328)), "! pieces (at most 2097152)", SHOAL_ERR_TOO_LONG },

	{ "a hybrid of one file", INFO("9:file treed1:N" LEAF(5) "e6:lengthi5e12:meta versioni2e4:name1:N" PS P1), "v1 v2 single 16384*1 5 of 5 | N:5@0R", 0 },
	{ "a hybrid with its tail pad", HY("1:a" LEAF(5) "1:bd1:c" LEAF(7) "e", F(5, "1:a") PAD(16379) F(7, "1:b1:c") PAD(16377), P2), "v1 v2 16384*2 12 of 32768 | N/a:5@0R N/.pad/16379:16379@5+p N/b/c:7@16384R N/.pad/16377:16377@16391+p", 0 },
	{ "a hybrid without it", HY("1:a" LEAF(5) "1:bd1:c" LEAF(7) "e", F(5, "1:a") PAD(16379) F(7, "1:b1:c"), P2), "v1 v2 16384*2 12 of 16391 | N/a:5@0R N/.pad/16379:16379@5+p N/b/c:7@16384R", 0 },
	{ "empty files need no pad", HY("1:ad0:d6:lengthi0eee1:b" LEAF(16384) "1:c" LEAF(1), F(0, "1:a") F(16384, "1:b") F(1, "1:c"), P2), "v1 v2 16384*2 16385 of 16385 | N/a:0@0 N/b:16384@0R N/c:1@16384R", 0 },
	{ "an empty folder in the tree is no file", HY("1:a" LEAF(5) "1:xd1:yde" "e", F(5, "1:a"), P1), "v1 v2 16384*1 5 of 5 | N/a:5@0R", 0 },
	{ "V06: another name", HY("1:a" LEAF(5), F(5, "1:b"), P1), "! differ in name", SHOAL_ERR_MALFORMED },
	{ "V06: another name of the lone file", INFO("9:file treed1:a" LEAF(5) "e6:lengthi5e12:meta versioni2e4:name1:N" PS P1), "! differ in name", SHOAL_ERR_MALFORMED },
	{ "V06: another folder", HY("1:ad1:b" LEAF(5) "e", F(5, "1:c1:b"), P1), "! differ in name", SHOAL_ERR_MALFORMED },
	{ "V06: in a folder and not", HY("1:ad1:a" LEAF(5) "e", F(5, "1:a"), P1), "! differ in name", SHOAL_ERR_MALFORMED },
	{ "V06: another length", HY("1:a" LEAF(5), F(6, "1:a"), P1), "! differ in length", SHOAL_ERR_MALFORMED },
	{ "V06: another order", HY("1:a" LEAF(5) "1:b" LEAF(5), F(5, "1:b") PAD(16379) F(5, "1:a"), P2), "! differ in name", SHOAL_ERR_MALFORMED },
	{ "V06: one in the list alone", HY("1:a" LEAF(5), F(5, "1:a") PAD(16379) F(5, "1:b"), P2), "! file 2 of the list is not in the tree", SHOAL_ERR_MALFORMED },
	{ "V06: an empty one in the list alone", HY("1:a" LEAF(5), F(5, "1:a") F(0, "1:b"), P1), "! file 1 of the list is not in the tree", SHOAL_ERR_MALFORMED },
	{ "V06: one in the tree alone", HY("1:a" LEAF(5) "1:b" LEAF(5), F(5, "1:a"), P1), "! file 1 of the tree is not in the list", SHOAL_ERR_MALFORMED },
	{ "V06: no pad", HY("1:a" LEAF(5) "1:b" LEAF(5), F(5, "1:a") F(5, "1:b"), P1), "! file 1 of the list does not begin on its piece", SHOAL_ERR_MALFORMED },
	{ "V06: a pad too short", HY("1:a" LEAF(5) "1:b" LEAF(5), F(5, "1:a") PAD(16378) F(5, "1:b"), P2), "! does not begin on its piece", SHOAL_ERR_MALFORMED },
	{ "V06: a pad before the first", HY("1:a" LEAF(5), PAD(16383) F(5, "1:a"), P2), "! does not begin on its piece", SHOAL_ERR_MALFORMED },
	{ "V06: a tail pad too short", HY("1:a" LEAF(5), F(5, "1:a") PAD(3), P1), "! padding after the last file", SHOAL_ERR_MALFORMED },
	{ "announce-list: a tier that is a number", "d13:announce-listli5ee4:infod6:lengthi5e4:name1:N" PS P1 "ee", "! announce-list holds something it must not", SHOAL_ERR_MALFORMED },
	{ "announce-list: a tracker that is a number", "d13:announce-listll9:udp://a:1i5eee4:infod6:lengthi5e4:name1:N" PS P1 "ee", "! announce-list holds something it must not", SHOAL_ERR_MALFORMED },
	{ "url-list: a number among them", "d4:infod6:lengthi5e4:name1:N" PS P1 "e8:url-listl8:http://ai5eee", "! url-list holds something it must not", SHOAL_ERR_MALFORMED },
	{ "url-list: a dictionary", "d4:infod6:lengthi5e4:name1:N" PS P1 "e8:url-listdee", "! url-list holds something it must not", SHOAL_ERR_MALFORMED },
	{ "nodes: one that is no pair", "d4:infod6:lengthi5e4:name1:N" PS P1 "e5:nodesl4:hostee", "! nodes holds something it must not", SHOAL_ERR_MALFORMED },
	{ "nodes: an empty pair", "d4:infod6:lengthi5e4:name1:N" PS P1 "e5:nodeslleee", "! nodes holds something it must not", SHOAL_ERR_MALFORMED },
	{ "nodes: a host without its port", "d4:infod6:lengthi5e4:name1:N" PS P1 "e5:nodesll1:aeee", "! nodes holds something it must not", SHOAL_ERR_MALFORMED },
	{ "nodes: a port in letters", "d4:infod6:lengthi5e4:name1:N" PS P1 "e5:nodesll1:a2:80eee", "! nodes holds something it must not", SHOAL_ERR_MALFORMED },
	{ "nodes: a host that is a number", "d4:infod6:lengthi5e4:name1:N" PS P1 "e5:nodeslli1ei80eeee", "! nodes holds something it must not", SHOAL_ERR_MALFORMED },
	{ "x.pe: a number", "d4:infod6:lengthi5e4:name1:N" PS P1 "e4:x.peli5eee", "! x.pe holds something it must not", SHOAL_ERR_MALFORMED },
	{ "hints of any other shape are none", "d11:collectionsi1e4:infod6:lengthi5e4:name1:N" PS P1 "e7:similar3:abce", "v1 single 16384*1 5 of 5 | N:5@0", 0 },
	{ "V06: a link here and a file there", HY("1:ad0:d6:lengthi0eee", "d4:attr1:l6:lengthi0e4:pathl1:aee", P0), "! differ in kind", SHOAL_ERR_MALFORMED },
};
/* clang-format on */

static void torrents_are_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct shoal_metainfo *mi = NULL;
		struct shoal_metainfo_fault why;
		int rc = parse_text(&mi, rows[i].torrent, strlen(rows[i].torrent), &why);
		if (rc != rows[i].err)
			print_message("%s: %d %s\n", rows[i].why, rc, why.what);
		assert_int_equal(rc, rows[i].err);
		if (rc < 0) {
			assert_int_equal(why.err, rc);
			if (strstr(why.what, rows[i].want + 2) == NULL)
				print_message("%s: %s\n", rows[i].why, why.what);
			assert_non_null(strstr(why.what, rows[i].want + 2));
			assert_true(why.at <= strlen(rows[i].torrent));
			assert_null(mi);
		} else {
			char *got = describe(mi);
			assert_string_equal(got, rows[i].want);
			free(got);
			/* the same from the bare info dictionary, and the hash is the raw span's (B20) */
			struct shoal_bytes info = shoal_metainfo_info(mi);
			struct shoal_metainfo *again = NULL;
			assert_int_equal(shoal_metainfo_parse_info(&again, info, NULL), 0);
			got = describe(again);
			assert_string_equal(got, rows[i].want);
			free(got);
			shoal_metainfo_free(again);
			/* and from bytes that are only lent */
			assert_int_equal(shoal_metainfo_parse_lent(
						 &again, shoal_bytes(rows[i].torrent, strlen(rows[i].torrent)), NULL),
					 0);
			got = describe(again);
			assert_string_equal(got, rows[i].want);
			free(got);
			struct shoal_bytes lent = shoal_metainfo_info(again);
			assert_true(lent.at >= (const uint8_t *)rows[i].torrent &&
				    lent.at + lent.len <= (const uint8_t *)rows[i].torrent + strlen(rows[i].torrent));
			shoal_metainfo_free(again);
			uint8_t digest[32];
			if (shoal_metainfo_v1(mi)) {
				shoal_sha1(info, digest);
				assert_memory_equal(shoal_metainfo_hash_v1(mi)->b, digest, 20);
			}
			if (shoal_metainfo_v2(mi)) {
				shoal_sha256(info, digest);
				assert_memory_equal(shoal_metainfo_hash_v2(mi)->b, digest, 32);
			}
			assert_non_null(memmem(rows[i].torrent, strlen(rows[i].torrent), info.at, info.len));
			shoal_metainfo_free(mi);
		}
	}
}

static void every_cut_of_a_good_torrent_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].err < 0)
			continue;
		size_t len = strlen(rows[i].torrent), last = len - (rows[i].torrent[len - 1] == '\n');
		for (size_t cut = 0; cut < last; cut++) {
			struct shoal_metainfo *mi;
			struct shoal_metainfo_fault why;
			assert_int_equal(parse_text(&mi, rows[i].torrent, cut, &why), SHOAL_ERR_MALFORMED);
			assert_true(why.what[0] != 0);
		}
	}
}

/* A known key, a good value ('1' to '3' stands for the dictionary of that level), and what kinds are right. */
struct pair {
	const char *key, *value;
	unsigned takes; /* 1 int, 2 string, 4 list, 8 dict */
};
static const struct pair outer_pairs[] = {
	{ "announce", "10:http://a/x", 2 },
	{ "announce-list", "ll10:http://a/xee", 4 },
	{ "comment", "1:c", 2 },
	{ "comment.utf-8", "1:c", 2 },
	{ "created by", "1:c", 2 },
	{ "creation date", "i5e", 1 },
	{ "nodes", "ll1:hi5eee", 4 },
	{ "piece layers", "de", 8 },
	{ "url-list", "0:", 2 | 4 },
	{ "x.pe", "l3:h:1e", 4 },
	{ "info", "$1", 8 },
};
static const struct pair info_pairs[] = {
	{ "length", NULL, 1 },
	{ "files", "l$2e", 4 },
	{ "name", "1:N", 2 },
	{ "name.utf-8", "1:N", 2 },
	{ "piece length", "i16384e", 1 },
	{ "pieces", "20:" H20, 2 },
	{ "private", "i1e", 1 },
	{ "source", "1:s", 2 },
	{ "attr", "1:x", 2 },
	{ "meta version", "i2e", 1 },
	{ "file tree", "d1:ad0:$3ee", 8 },
};
static const struct pair file_pairs[] = {
	{ "length", "i5e", 1 }, { "path", "l1:ae", 4 },		{ "path.utf-8", "l1:ae", 4 },
	{ "attr", "1:x", 2 },	{ "symlink path", "l1:ae", 4 },
};
static const struct pair leaf_pairs[] = {
	{ "length", "i5e", 1 },
	{ "pieces root", "32:" H32, 2 },
	{ "attr", "1:x", 2 },
	{ "symlink path", "l1:ae", 4 },
};
static const struct {
	const struct pair *pair;
	size_t count;
} pair_levels[4] = { { outer_pairs, sizeof outer_pairs / sizeof *outer_pairs },
		     { info_pairs, sizeof info_pairs / sizeof *info_pairs },
		     { file_pairs, sizeof file_pairs / sizeof *file_pairs },
		     { leaf_pairs, sizeof leaf_pairs / sizeof *leaf_pairs } };

/* The torrent of all the pairs, with `wrong` (NULL: none) as the value of pair `key` of `level`. */
static int parse_pairs(size_t level, size_t key, const char *wrong, struct shoal_metainfo_fault *why)
{
	struct grow g[4] = { { 0 } }; /* the text of each level, innermost first */
	for (size_t at = 4; at-- > 0;) {
		grow_print(&g[at], "d");
		for (size_t i = 0; i < pair_levels[at].count; i++) {
			const struct pair *p = &pair_levels[at].pair[i];
			const char *value = wrong && at == level && i == key ? wrong : p->value;
			if (value == NULL)
				continue;
			grow_print(&g[at], "%zu:%s", strlen(p->key), p->key);
			for (; *value; value++) {
				if (*value == '$')
					grow_print(&g[at], "%s", g[*++value - '0'].at);
				else
					grow_put(&g[at], value, 1);
			}
		}
		grow_print(&g[at], "e");
	}
	struct shoal_metainfo *mi = NULL;
	int rc = parse_text(&mi, g[0].at, g[0].len, why);
	shoal_metainfo_free(mi);
	for (size_t at = 0; at < 4; at++)
		grow_fini(&g[at]);
	return rc;
}

/* B08: each known key, with a value of each wrong type. */
static void a_wrong_type_at_a_known_key_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[4] = { "i7e", "1:w", "le", "de" };
	struct shoal_metainfo_fault why;
	size_t cases = 0;
	assert_int_equal(parse_pairs(0, 0, NULL, &why), 0);
	for (size_t l = 0; l < 4; l++) {
		for (size_t k = 0; k < pair_levels[l].count; k++) {
			const struct pair *p = &pair_levels[l].pair[k];
			for (unsigned kind = 0; kind < 4; kind++) {
				if (p->takes >> kind & 1)
					continue;
				int rc = parse_pairs(l, k, wrong[kind], &why);
				if (rc != SHOAL_ERR_MALFORMED || strstr(why.what, p->key) == NULL)
					print_message("level %zu %s kind %u: %d %s\n", l, p->key, kind, rc, why.what);
				assert_int_equal(rc, SHOAL_ERR_MALFORMED);
				assert_non_null(strstr(why.what, p->key));
				cases++;
			}
		}
	}
	assert_int_equal(cases, 31 * 3 - 1);
}

static void what_stands_beside_info_is_kept(void **state)
{
	(void)state;
	struct grow g = { 0 };
	grow_print(&g, "d8:announce9:udp://a:1"
		       "13:announce-listl"
		       "l12: http://b/ane"
		       "9:udp://c:2"
		       "l9:udp://c:2"
		       "13:https://d/an\n"
		       "6:ws://e"
		       "3:foo"
		       "7:ftp://b"
		       "8:http:///"
		       "e"
		       "l"
		       "e"
		       "l9:UDP://z:9e"
		       "e"
		       "7:comment5:hi\x1b[m"
		       "10:created by2:me"
		       "13:creation datei1700000000e"
		       "4:infod6:lengthi5e4:name1:N" PS P1 "7:privatei1e6:source3:src"
		       "e"
		       "5:nodesl"
		       "l9:127.0.0.1i6881ee"
		       "l3:::1i1ee"
		       "l1:hi0ee"
		       "l3:a bi5ee"
		       "e"
		       "8:url-listl"
		       "0:"
		       "10:http://w/x"
		       "10:http://w/x"
		       "7:ftp://w"
		       "e"
		       "4:x.pel5:h:123e"
		       "e");
	struct shoal_metainfo *mi;
	struct shoal_metainfo_fault why;
	int rc = parse_text(&mi, g.at, g.len, &why);
	if (rc < 0)
		print_message("%zu %s\n", why.at, why.what);
	assert_int_equal(rc, 0);
	static const struct {
		const char *url;
		unsigned tier;
	} want[] = { { "http://b/an", 0 }, { "udp://c:2", 1 }, { "https://d/an", 2 },
		     { "ws://e", 2 },	   { "UDP://z:9", 3 }, { "udp://a:1", 4 } };
	assert_int_equal(shoal_metainfo_tracker_count(mi), 6);
	for (size_t i = 0; i < 6; i++) {
		unsigned tier;
		struct shoal_bytes url = shoal_metainfo_tracker(mi, i, &tier);
		assert_true(shoal_bytes_equal(url, shoal_bytes(want[i].url, strlen(want[i].url))));
		assert_int_equal(tier, want[i].tier);
	}
	assert_int_equal(shoal_metainfo_tracker(mi, 6, NULL).len, 0);
	assert_int_equal(shoal_metainfo_webseed_count(mi), 1);
	assert_true(shoal_bytes_equal(shoal_metainfo_webseed(mi, 0), SHOAL_LIT("http://w/x")));
	assert_int_equal(shoal_metainfo_node_count(mi), 2);
	assert_true(shoal_bytes_equal(shoal_metainfo_node(mi, 0), SHOAL_LIT("127.0.0.1:6881")));
	assert_true(shoal_bytes_equal(shoal_metainfo_node(mi, 1), SHOAL_LIT("[::1]:1")));
	assert_int_equal(shoal_metainfo_peer_count(mi), 1);
	assert_true(shoal_bytes_equal(shoal_metainfo_peer(mi, 0), SHOAL_LIT("h:123")));
	assert_true(shoal_bytes_equal(shoal_metainfo_comment(mi), SHOAL_LIT("hi\x1b[m")));
	assert_true(shoal_bytes_equal(shoal_metainfo_created_by(mi), SHOAL_LIT("me")));
	assert_true(shoal_bytes_equal(shoal_metainfo_source(mi), SHOAL_LIT("src")));
	assert_int_equal(shoal_metainfo_created_at(mi), 1700000000);
	assert_true(shoal_metainfo_private(mi));
	shoal_metainfo_free(mi);
	grow_fini(&g);
}

#define H20A "aaaaaaaaaaaaaaaaaaaa"
#define H20B "bbbbbbbbbbbbbbbbbbbb"
#define H32C "cccccccccccccccccccccccccccccccc"
static void hints_are_merged_and_nonsense_is_passed_over(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t similar, collections;
	} hint[] = {
		{ "d11:collectionsl1:x1:ye4:infod11:collectionsl1:y1:ze6:lengthi5e4:name1:N" PS P1 "7:similarl20:" H20A
		  "32:" H32C "3:abci5eee7:similarl20:" H20A "20:" H20B "0:ee",
		  3, 3 },
		{ "d11:collectionsi5e4:infod6:lengthi5e4:name1:N" PS P1 "7:similar20:" H20A "e7:similarde"
		  "e",
		  0, 0 },
		{ "d11:collectionsl0:li1eee4:infod6:lengthi5e4:name1:N" PS P1 "ee", 0, 0 },
	};
	for (size_t i = 0; i < sizeof hint / sizeof *hint; i++) {
		struct shoal_metainfo *mi;
		struct shoal_metainfo_fault why;
		int rc = parse_text(&mi, hint[i].text, strlen(hint[i].text), &why);
		if (rc < 0)
			print_message("%zu: %zu %s\n", i, why.at, why.what);
		assert_int_equal(rc, 0);
		assert_int_equal(shoal_metainfo_similar_count(mi), hint[i].similar);
		assert_int_equal(shoal_metainfo_collection_count(mi), hint[i].collections);
		if (i == 0) {
			assert_true(shoal_bytes_equal(shoal_metainfo_similar(mi, 0), SHOAL_LIT(H20A)));
			assert_true(shoal_bytes_equal(shoal_metainfo_similar(mi, 1), SHOAL_LIT(H32C)));
			assert_true(shoal_bytes_equal(shoal_metainfo_similar(mi, 2), SHOAL_LIT(H20B)));
			assert_true(shoal_bytes_equal(shoal_metainfo_collection(mi, 2), SHOAL_LIT("x")));
		}
		assert_int_equal(shoal_metainfo_similar(mi, hint[i].similar).len, 0);
		shoal_metainfo_free(mi);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(torrents_are_what_the_table_says),
		cmocka_unit_test(every_cut_of_a_good_torrent_is_refused),
		cmocka_unit_test(a_wrong_type_at_a_known_key_is_refused),
		cmocka_unit_test(what_stands_beside_info_is_kept),
		cmocka_unit_test(hints_are_merged_and_nonsense_is_passed_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
