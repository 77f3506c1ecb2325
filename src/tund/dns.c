/* SPDX-License-Identifier: MIT */
/* DNS answers for a cluster's zone (design: DNS; RFC 1034, 1035, 2308, 6891). Messages are parsed
 * and built by c-ares. */
#include "tund/dns.h"

#include <ares.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

#define DNS_ADDITIONAL_MAX 4

enum dns_verdict { DNS_DATA, DNS_NO_DATA, DNS_NO_NAME, DNS_NOT_OURS };

struct dns_found {
	enum dns_verdict verdict;
	ares_dns_rec_type_t type;     /* of the data */
	ip4 address;		      /* A */
	char name[2 * LABEL_MAX + 2]; /* PTR, NS */
};

static bool strip_suffix(const char *name, size_t *len, const char *suffix)
{
	size_t n = strlen(suffix);

	if (*len < n || strncasecmp(name + *len - n, suffix, n) != 0)
		return false;
	if (*len == n) {
		*len = 0;
		return true;
	}
	if (name[*len - n - 1] != '.')
		return false;
	*len -= n + 1;
	return true;
}

/* "4.3.2.1.in-addr.arpa" without its suffix, to 1.2.3.4; only as it is written canonically. */
static bool reverse_parse(const char *name, size_t len, ip4 *ret)
{
	unsigned part[4];
	char text[16], back[64];

	if (len >= sizeof(text))
		return false;
	memcpy(text, name, len);
	text[len] = '\0';
	if (sscanf(text, "%3u.%3u.%3u.%3u", &part[3], &part[2], &part[1], &part[0]) != 4)
		return false;
	snprintf(back, sizeof(back), "%u.%u.%u.%u", part[3], part[2], part[1], part[0]);
	if (strcmp(back, text) != 0)
		return false;
	snprintf(back, sizeof(back), "%u.%u.%u.%u", part[0], part[1], part[2], part[3]);
	return ip4_parse(back, ret) == 0;
}

/* A name leads to it, and its address to the name. */
static bool is_named(const struct dns_names *names, const struct member *m)
{
	return m && (!names->denied || !names->denied(names->ctx, m));
}

static struct dns_found look_up_reverse(const struct dns_names *names, const char *name, size_t len)
{
	struct dns_found f = { .verdict = DNS_NOT_OURS };
	ip4 ip;

	if (!reverse_parse(name, len, &ip) ||
	    !prefix4_contains(mlog_genesis(names->log)->subnet, ip))
		return f;
	const struct member *m = roster_by_address(mlog_roster(names->log), ip, ROSTER_CURRENT);
	if (!is_named(names, m)) {
		f.verdict = DNS_NO_NAME;
		return f;
	}
	snprintf(f.name, sizeof(f.name), "%s.%s", m->name, mlog_genesis(names->log)->name);
	f.type = ARES_REC_TYPE_PTR;
	f.verdict = DNS_DATA;
	return f;
}

/* The zone's own name and its servers (RFC 1034 section 4.2.1). Returns false for other types. */
static bool look_up_zone(const struct dns_names *names, ares_dns_rec_type_t type,
			 struct dns_found *f)
{
	if (type != ARES_REC_TYPE_SOA && type != ARES_REC_TYPE_NS)
		return false;
	snprintf(f->name, sizeof(f->name), "%s.%s", names->self->name,
		 mlog_genesis(names->log)->name);
	f->type = type;
	f->verdict = DNS_DATA;
	return true;
}

static struct dns_found look_up(const struct dns_names *names, const char *name,
				ares_dns_rec_type_t type)
{
	struct dns_found f = { .verdict = DNS_NOT_OURS };
	size_t len = strlen(name);
	char label[LABEL_MAX + 1];

	if (len && name[len - 1] == '.')
		len--;
	if (strip_suffix(name, &len, "in-addr.arpa")) {
		f = look_up_reverse(names, name, len);
		if (f.verdict == DNS_DATA && type != ARES_REC_TYPE_PTR && type != ARES_REC_TYPE_ANY)
			f.verdict = DNS_NO_DATA;
		return f;
	}
	if (!strip_suffix(name, &len, mlog_genesis(names->log)->name))
		return f;
	if (len == 0 && look_up_zone(names, type, &f))
		return f;
	f.verdict = DNS_NO_NAME;
	if (len > LABEL_MAX)
		return f;
	for (size_t i = 0; i < len; i++)
		label[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
	label[len] = '\0';
	const struct member *m = len == 0 ? names->self
					  : roster_by_name(mlog_roster(names->log),
							   span_of(label, len), ROSTER_CURRENT);
	if (!is_named(names, m))
		return f;
	f.address = m->address;
	f.type = ARES_REC_TYPE_A;
	f.verdict = type == ARES_REC_TYPE_A || type == ARES_REC_TYPE_ANY ? DNS_DATA : DNS_NO_DATA;
	return f;
}

/*
 * The zone's SOA: an answer, or beside a "no", so that a resolver knows how long that holds (RFC
 * 2308 section 3).
 */
static ares_status_t add_soa(ares_dns_record_t *rec, ares_dns_section_t section,
			     const struct dns_names *names)
{
	const char *zone = mlog_genesis(names->log)->name;
	char host[2 * LABEL_MAX + 2], mail[LABEL_MAX + 12];
	ares_dns_rr_t *rr;

	snprintf(host, sizeof(host), "%s.%s", names->self->name, zone);
	snprintf(mail, sizeof(mail), "hostmaster.%s", zone);
	ares_status_t st = ares_dns_record_rr_add(&rr, rec, section, zone, ARES_REC_TYPE_SOA,
						  ARES_CLASS_IN, DNS_TTL_S);
	if (st == ARES_SUCCESS)
		st = ares_dns_rr_set_str(rr, ARES_RR_SOA_MNAME, host);
	if (st == ARES_SUCCESS)
		st = ares_dns_rr_set_str(rr, ARES_RR_SOA_RNAME, mail);
	if (st == ARES_SUCCESS)
		st = ares_dns_rr_set_u32(rr, ARES_RR_SOA_SERIAL, (unsigned)mlog_count(names->log));
	if (st == ARES_SUCCESS)
		st = ares_dns_rr_set_u32(rr, ARES_RR_SOA_REFRESH, DNS_TTL_S);
	if (st == ARES_SUCCESS)
		st = ares_dns_rr_set_u32(rr, ARES_RR_SOA_RETRY, DNS_TTL_S);
	if (st == ARES_SUCCESS)
		st = ares_dns_rr_set_u32(rr, ARES_RR_SOA_EXPIRE, DNS_TTL_S);
	if (st == ARES_SUCCESS)
		st = ares_dns_rr_set_u32(rr, ARES_RR_SOA_MINIMUM, DNS_TTL_S);
	return st;
}

static ares_status_t add_data(ares_dns_record_t *rec, const char *name, const struct dns_found *f)
{
	struct in_addr a = { .s_addr = htonl(f->address) };
	ares_dns_rr_t *rr;
	ares_status_t st = ares_dns_record_rr_add(&rr, rec, ARES_SECTION_ANSWER, name, f->type,
						  ARES_CLASS_IN, DNS_TTL_S);

	if (st != ARES_SUCCESS)
		return st;
	if (f->type == ARES_REC_TYPE_A)
		return ares_dns_rr_set_addr(rr, ARES_RR_A_ADDR, &a);
	return ares_dns_rr_set_str(rr,
				   f->type == ARES_REC_TYPE_NS ? ARES_RR_NS_NSDNAME
							       : ARES_RR_PTR_DNAME,
				   f->name);
}

/* The EDNS version asked for; -1 without EDNS. */
static int edns_version(const ares_dns_record_t *q)
{
	for (size_t i = 0; i < ares_dns_record_rr_cnt(q, ARES_SECTION_ADDITIONAL); i++) {
		const ares_dns_rr_t *rr = ares_dns_record_rr_get_const(q, ARES_SECTION_ADDITIONAL,
								       i);

		if (rr && ares_dns_rr_get_type(rr) == ARES_REC_TYPE_OPT)
			return ares_dns_rr_get_u8(rr, ARES_RR_OPT_VERSION);
	}
	return -1;
}

static ares_status_t add_edns(ares_dns_record_t *rec)
{
	ares_dns_rr_t *rr;
	ares_status_t st = ares_dns_record_rr_add(&rr, rec, ARES_SECTION_ADDITIONAL, "",
						  ARES_REC_TYPE_OPT, ARES_CLASS_IN, 0);

	if (st == ARES_SUCCESS)
		st = ares_dns_rr_set_u16(rr, ARES_RR_OPT_UDP_SIZE, DNS_MESSAGE_MAX);
	if (st == ARES_SUCCESS)
		st = ares_dns_rr_set_u8(rr, ARES_RR_OPT_VERSION, 0);
	if (st == ARES_SUCCESS)
		st = ares_dns_rr_set_u16(rr, ARES_RR_OPT_FLAGS, 0);
	return st;
}

/*
 * One question, nothing else but EDNS and perhaps a signature. Looked at before c-ares, which makes
 * room for as many records as the header claims there are: megabytes, for a query that lies.
 */
static bool counts_ok(struct span query)
{
	const uint8_t *p = query.data;

	return load_be16(p + 4) == 1 && load_be16(p + 6) == 0 && load_be16(p + 8) == 0 &&
	       load_be16(p + 10) <= DNS_ADDITIONAL_MAX;
}

/* Only the header: for what cannot be parsed or is not done here. */
static size_t answer_header(struct span query, uint8_t rcode, uint8_t *out, size_t cap)
{
	if (cap < 12)
		return 0;
	memset(out, 0, 12);
	memcpy(out, query.data, 2);
	out[2] = (uint8_t)(0x80 | (query.data[2] & 0x79)); /* QR, opcode and RD as asked */
	out[3] = rcode;
	return 12;
}

static ares_status_t build(const struct dns_names *names, const ares_dns_record_t *q,
			   ares_dns_record_t **ret)
{
	const char *name;
	ares_dns_rec_type_t type;
	ares_dns_class_t class;
	ares_status_t st = ares_dns_record_query_get(q, 0, &name, &type, &class);
	ares_dns_rcode_t rcode = ARES_RCODE_NOERROR;
	unsigned short flags = ARES_FLAG_QR | (ares_dns_record_get_flags(q) & ARES_FLAG_RD);
	int edns = edns_version(q);

	if (st != ARES_SUCCESS)
		return st;
	struct dns_found f = look_up(names, name, type);

	if (class != ARES_CLASS_IN && class != ARES_CLASS_ANY)
		f.verdict = DNS_NOT_OURS;
	if (f.verdict == DNS_NOT_OURS)
		rcode = ARES_RCODE_REFUSED;
	else
		flags |= ARES_FLAG_AA;
	if (f.verdict == DNS_NO_NAME)
		rcode = ARES_RCODE_NXDOMAIN;
	if (edns > 0) { /* RFC 6891 section 6.1.3 */
		f.verdict = DNS_NOT_OURS;
		rcode = ARES_RCODE_BADSIG; /* 16 is BADVERS beside an OPT record */
	}
	st = ares_dns_record_create(ret, ares_dns_record_get_id(q), flags, ARES_OPCODE_QUERY,
				    rcode);
	if (st == ARES_SUCCESS)
		st = ares_dns_record_query_add(*ret, name, type, class);
	if (st == ARES_SUCCESS && f.verdict == DNS_DATA && f.type == ARES_REC_TYPE_SOA)
		st = add_soa(*ret, ARES_SECTION_ANSWER, names);
	else if (st == ARES_SUCCESS && f.verdict == DNS_DATA)
		st = add_data(*ret, name, &f);
	if (st == ARES_SUCCESS && (f.verdict == DNS_NO_DATA || f.verdict == DNS_NO_NAME))
		st = add_soa(*ret, ARES_SECTION_AUTHORITY, names);
	if (st == ARES_SUCCESS && edns >= 0)
		st = add_edns(*ret);
	return st;
}

/*
 * c-ares reads names that it does not write: with a space, say, as services have them. Such a name
 * is in no log, which needs no more than the question as it came. The same for a name that is too
 * long, which is the asker's error.
 */
static size_t answer_unwritable(const struct dns_names *names, struct span query,
				const ares_dns_record_t *q, uint8_t *out, size_t cap)
{
	const char *name;
	ares_dns_rec_type_t type;
	ares_dns_class_t class;
	size_t end = 12;

	while (end < query.len && query.data[end] && query.data[end] <= 63)
		end += 1 + query.data[end];
	end += 5; /* the root, type and class */
	if (end > query.len || end > cap || end - 4 - 12 > 255 || query.data[end - 5] ||
	    ares_dns_record_query_get(q, 0, &name, &type, &class) != ARES_SUCCESS)
		return answer_header(query, ARES_RCODE_FORMERR, out, cap);
	struct dns_found f = look_up(names, name, type);

	memcpy(out, query.data, end);
	(void)answer_header(query,
			    f.verdict == DNS_NOT_OURS ? ARES_RCODE_REFUSED : ARES_RCODE_NXDOMAIN,
			    out, cap);
	out[2] |= f.verdict == DNS_NOT_OURS ? 0 : 0x04; /* AA */
	out[5] = 1;					/* the question */
	return end;
}

size_t dns_answer(const struct dns_names *names, struct span query, uint8_t *out, size_t cap)
{
	ares_dns_record_t *q = NULL, *a = NULL;
	unsigned char *wire = NULL;
	size_t wire_len = 0, n = 0;

	if (query.len < 12 || query.data[2] & 0x80)
		return 0;
	if ((query.data[2] & 0x78) != 0)
		return answer_header(query, ARES_RCODE_NOTIMP, out, cap);
	if (!counts_ok(query) || ares_dns_parse(query.data, query.len, 0, &q) != ARES_SUCCESS ||
	    ares_dns_record_query_cnt(q) != 1) {
		n = answer_header(query, ARES_RCODE_FORMERR, out, cap);
		goto done;
	}
	ares_status_t st = build(names, q, &a);
	if (st == ARES_SUCCESS)
		st = ares_dns_write(a, &wire, &wire_len);
	if (st == ARES_EBADNAME) {
		n = answer_unwritable(names, query, q, out, cap);
		goto done;
	}
	if (st != ARES_SUCCESS || wire_len > cap) {
		n = answer_header(query, ARES_RCODE_SERVFAIL, out, cap);
		goto done;
	}
	memcpy(out, wire, wire_len);
	n = wire_len;
done:
	ares_free_string(wire);
	ares_dns_record_destroy(a);
	ares_dns_record_destroy(q);
	return n;
}
