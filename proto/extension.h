/*
 * proto/extension.h - BEP 10 handshakes and ut_metadata (BEP 9): bytes <-> structs.
 */
#ifndef SHOAL_EXTENSION_H
#define SHOAL_EXTENSION_H

#include <shoal/types.h>

#define SHOAL_EXT_NAMES_MAX 64	/* entries of `m` we look at */
#define SHOAL_EXT_NAME_BYTES 32 /* a name we register is shorter */
#define SHOAL_METADATA_BLOCK (16u * 1024)

struct shoal_ext_name {
	char name[SHOAL_EXT_NAME_BYTES];
	uint8_t id; /* 0: switched off */
};
struct shoal_ext_handshake {
	struct shoal_ext_name m[SHOAL_EXT_NAMES_MAX];
	size_t m_count;
	struct shoal_bytes v;	  /* client name, raw; <= 128 bytes are kept */
	uint32_t reqq;		  /* clamped to 1..5000; 0 when absent */
	uint16_t port;		  /* 0 when absent or out of range */
	uint64_t metadata_size;	  /* 0 when absent; not yet held against our limit */
	bool upload_only;	  /* BEP 21 */
	bool says_not_only;	  /* encode: upload_only 0 is said too, to take back a 1 */
	struct shoal_addr yourip; /* port 0; is all zero when absent */
	bool has_yourip;
};
/* MALFORMED when it is no dictionary; wrong types inside are taken as absent. */
SHOAL_MUST int shoal_ext_handshake_decode(struct shoal_bytes in, struct shoal_ext_handshake *out);
/* Length, or TOO_LONG. Absent things are left out. */
SHOAL_MUST ptrdiff_t shoal_ext_handshake_encode(const struct shoal_ext_handshake *hs, struct shoal_space out);

enum shoal_metadata_kind { SHOAL_METADATA_REQUEST = 0, SHOAL_METADATA_DATA = 1, SHOAL_METADATA_REJECT = 2 };
struct shoal_metadata_msg {
	uint32_t kind; /* others than the three are to be ignored (BEP 9) */
	uint32_t piece;
	uint64_t total_size;	 /* DATA; 0 when absent */
	struct shoal_bytes data; /* DATA: what follows the dictionary */
};
SHOAL_MUST int shoal_metadata_decode(struct shoal_bytes in, struct shoal_metadata_msg *out);
SHOAL_MUST ptrdiff_t shoal_metadata_encode(const struct shoal_metadata_msg *msg, struct shoal_space out);

#endif
