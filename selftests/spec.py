#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Compares the netlink specification with the uAPI header, with what the
# running kernel says about the family, and with what its messages contain.
#
# usage: spec.py header | family | policy
#        spec.py replies ADDRESS PORT	connects there, over a chimney device
#        spec.py requests	what the kernel takes, as a table for programs

import os
import re
import socket
import struct
import sys

import yaml

SPEC = "Documentation/netlink/specs/chimney.yaml"
HEADER = "include/uapi/linux/chimney.h"


def top():
    """The folder that has the specification, above this file."""
    path = os.path.realpath(__file__)
    while path != "/":
        path = os.path.dirname(path)
        if os.path.exists(os.path.join(path, SPEC)):
            return path
    sys.exit("specification not found")


# linux/netlink.h, linux/genetlink.h
NETLINK_GENERIC = 16
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP = 1
NETLINK_EXT_ACK = 11
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLA_F_NESTED, NLA_TYPE_MASK = 0x8000, 0x3fff
GENL_ID_CTRL = 16
CTRL_CMD_GETFAMILY, CTRL_CMD_GETPOLICY = 3, 10
(CTRL_FAMILY_ID, CTRL_FAMILY_NAME, CTRL_VERSION, CTRL_HDRSIZE, CTRL_MAXATTR,
 CTRL_OPS, CTRL_MCAST_GROUPS, CTRL_POLICY, CTRL_OP_POLICY, CTRL_OP) = \
    range(1, 11)
ADMIN, DO, DUMP, HASPOL, UNS_ADMIN = 0x1, 0x2, 0x4, 0x8, 0x10
# enum netlink_attribute_type
NL_TYPES = {4: "u32", 3: "u16", 5: "u64", 10: "binary", 11: "string",
            13: "nest", 15: "bitfield32"}
(POL_TYPE, POL_MIN_S, POL_MAX_S, POL_MIN_U, POL_MAX_U, POL_MIN_LEN,
 POL_MAX_LEN, POL_IDX, POL_MAXTYPE, POL_BITFIELD, POL_PAD, POL_MASK) = \
    range(1, 13)

problems = 0


def problem(text):
    global problems
    problems += 1
    print(text)


def same(what, spec, other, where):
    """Two dictionaries or sets must be equal; say where they are not."""
    if not isinstance(spec, dict):
        spec = {k: None for k in spec}
        other = {k: None for k in other}
    for k in sorted(set(spec) | set(other), key=str):
        if k not in other:
            problem(f"{what}: {k} is missing in the {where}")
        elif k not in spec:
            problem(f"{what}: {k} is missing in the specification")
        elif spec[k] != other[k]:
            problem(f"{what}: {k} is {other[k]} in the {where}, "
                    f"{spec[k]} in the specification")


# ---- the specification --------------------------------------------------

class Spec:
    def __init__(self):
        with open(os.path.join(top(), SPEC), encoding="ascii") as f:
            self.yaml = yaml.safe_load(f)
        self.sets = {}
        self.subsets = {}
        self.defs = {d["name"]: d for d in self.yaml["definitions"]}
        for s in self.yaml["attribute-sets"]:
            if "subset-of" in s:
                self.subsets[s["name"]] = [a["name"] for a in s["attributes"]]
                continue
            self.sets[s["name"]] = attrs = {}
            value = 0
            for a in s["attributes"]:
                value = a.get("value", value + 1)
                attrs[a["name"]] = dict(a, value=value)
        self.ops = {}
        value = 0
        for op in self.yaml["operations"]["list"]:
            value = op.get("value", value + 1)
            self.ops[op["name"]] = dict(op, value=value)

    def entries(self, name):
        """Names and values of an enum or of flags."""
        d = self.defs[name]
        value = d.get("value-start", 0)
        for e in d["entries"]:
            if isinstance(e, str):
                e = {"name": e}
            value = e.get("value", value)
            yield e["name"], 1 << value if d["type"] == "flags" else value
            value += 1

    def mask(self, name):
        return sum(v for _, v in self.entries(name))

    def request(self, op, kind):
        return op.get(kind, {}).get("request", {}).get("attributes", [])

    def nested_request(self, attr):
        """What a nest of a request may carry: the set, or a subset of it."""
        name = attr["nested-attributes"]
        return name, self.subsets.get(name + "-request",
                                      list(self.sets[name]))


def c_name(*words):
    return "_".join(words).replace("-", "_").upper()


def expected_names(spec):
    """Names and values of the header, by the rules for generated code."""
    family = spec.yaml["name"]
    names = {
        c_name(family, "family-name"): family,
        c_name(family, "family-version"): spec.yaml.get("version", 1),
    }
    for d in spec.defs.values():
        if d["type"] == "const":
            names[c_name(family, d["name"])] = d["value"]
            continue
        for name, value in spec.entries(d["name"]):
            names[c_name(family, d["name"], name)] = value
    for name, attrs in spec.sets.items():
        prefix = [family, "a", name]
        for a in attrs.values():
            names[c_name(*prefix, a["name"])] = a["value"]
        last = max(a["value"] for a in attrs.values())
        names["__" + c_name(*prefix, "max")] = last + 1
        names[c_name(*prefix, "max")] = last
    for op in spec.ops.values():
        names[c_name(family, "cmd", op["name"])] = op["value"]
    last = max(op["value"] for op in spec.ops.values())
    names["__" + c_name(family, "cmd-max")] = last + 1
    names[c_name(family, "cmd-max")] = last
    for group in spec.yaml["mcast-groups"]["list"]:
        names[c_name(family, "mcgrp", group["name"])] = group["name"]
    return names


def header_names():
    """Names and values as the header has them, and the names of its enums."""
    with open(os.path.join(top(), HEADER), encoding="ascii") as f:
        text = f.read()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    names = {}
    enums = set()

    def value(expr):
        expr = re.sub(r"(?<=[0-9a-fA-F])U?L*\b", "", expr)
        return eval(expr, {"__builtins__": {}}, names)

    for line in text.splitlines():
        m = re.match(r"#define\s+(\w+)\s+(\S.*)", line)
        if m:
            names[m[1]] = value(m[2])
    for m in re.finditer(r"enum\s*(\w*)\s*\{(.*?)\}", text, flags=re.S):
        if m[1]:
            enums.add(m[1])
        n = -1
        for e in m[2].split(","):
            e = e.strip()
            if not e:
                continue
            name, _, expr = (x.strip() for x in e.partition("="))
            n = value(expr) if expr else n + 1
            names[name] = n
    return names, enums


def check_header(spec):
    names, enums = header_names()
    same("header", expected_names(spec), names, "header")
    same("enums of the header",
         {c_name(spec.yaml["name"], d["name"]).lower()
          for d in spec.defs.values() if d["type"] != "const"},
         enums, "header")


def check_docs(spec):
    """Everything is documented."""
    for d in spec.defs.values():
        if "doc" not in d:
            problem(f"definition {d['name']} has no doc")
    for name, attrs in spec.sets.items():
        for a in attrs.values():
            if "doc" not in a and a["type"] != "pad":
                problem(f"attribute {name}/{a['name']} has no doc")
    for op in spec.ops.values():
        if "doc" not in op:
            problem(f"operation {op['name']} has no doc")


# ---- netlink ------------------------------------------------------------

def attr(kind, payload):
    size = 4 + len(payload)
    return struct.pack("=HH", size, kind) + payload + b"\0" * (-size % 4)


def u32(kind, value):
    return attr(kind, struct.pack("=I", value))


def nest(kind, *attrs):
    return attr(kind | NLA_F_NESTED, b"".join(attrs))


def split(data):
    """Attributes of a message or nest: (type, payload)."""
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        yield kind & NLA_TYPE_MASK, data[4:size]
        data = data[(size + 3) & ~3:]


def tree(data):
    return dict(split(data))


def number(data):
    return int.from_bytes(data, sys.byteorder)


class Netlink:
    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                  NETLINK_GENERIC)
        self.sock.settimeout(20)
        self.sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self.sock.bind((0, 0))
        self.seq = 0

    def messages(self):
        data = self.sock.recv(65536)
        while data:
            size, kind, flags, seq, _ = struct.unpack_from("=IHHII", data)
            yield kind, flags, seq, data[16:size]
            data = data[(size + 3) & ~3:]

    def request(self, family, cmd, *attrs, dump=False):
        """Replies to a request, without the generic header."""
        self.seq += 1
        body = struct.pack("=BBH", cmd, 1, 0) + b"".join(attrs)
        flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else NLM_F_ACK)
        self.sock.send(struct.pack("=IHHII", 16 + len(body), family, flags,
                                   self.seq, 0) + body)
        replies = []
        while True:
            for kind, flags, seq, data in self.messages():
                if seq != self.seq:
                    raise RuntimeError("reply to something else")
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    err = struct.unpack_from("=i", data)[0] if data else 0
                    if err:
                        raise OSError(-err, os.strerror(-err))
                    return replies
                if family != GENL_ID_CTRL and data[0] != cmd:
                    raise RuntimeError(f"reply with command {data[0]}")
                replies.append(data[4:])

    def family(self, name):
        reply, = self.request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY,
                              attr(CTRL_FAMILY_NAME, name.encode() + b"\0"))
        return tree(reply)

    def policies(self, family):
        """Of each command its do and dump policy; and all policies."""
        ops = {}
        policies = {}
        for reply in self.request(GENL_ID_CTRL, CTRL_CMD_GETPOLICY,
                                  attr(CTRL_FAMILY_ID,
                                       struct.pack("=H", family)), dump=True):
            for kind, data in split(reply):
                if kind == CTRL_OP_POLICY:
                    for cmd, p in split(data):
                        ops[cmd] = {k: number(v) for k, v in split(p)}
                elif kind == CTRL_POLICY:
                    for index, p in split(data):
                        policies.setdefault(index, {}).update(
                            (a, tree(t)) for a, t in split(p))
        return ops, policies


def check_family(spec):
    nl = Netlink()
    family = nl.family(spec.yaml["name"])
    if number(family[CTRL_VERSION]) != spec.yaml.get("version", 1):
        problem("version of the family")
    if number(family[CTRL_HDRSIZE]):
        problem("the family has a header of its own")

    want = {}
    for op in spec.ops.values():
        if "do" not in op and "dump" not in op:
            continue
        flags = HASPOL
        flags |= DO if "do" in op else 0
        flags |= DUMP if "dump" in op else 0
        for f in op.get("flags", []):
            flags |= {"admin-perm": ADMIN, "uns-admin-perm": UNS_ADMIN}[f]
        want[op["value"]] = flags
    got = {}
    for _, op in split(family[CTRL_OPS]):
        op = tree(op)
        got[number(op[1])] = number(op[2])
    same("flags of commands", want, got, "kernel")

    same("multicast groups",
         {g["name"] for g in spec.yaml["mcast-groups"]["list"]},
         {tree(g)[1].rstrip(b"\0").decode()
          for _, g in split(family[CTRL_MCAST_GROUPS])}, "kernel")


def check_attr(spec, a, pol, policies, where):
    """One attribute of a request against the kernel's policy for it."""
    kind = NL_TYPES.get(number(pol[POL_TYPE]), pol[POL_TYPE])
    if kind != a["type"]:
        problem(f"{where}: type {kind}, {a['type']} in the specification")
        return
    checks = a.get("checks", {})
    want = {}
    got = {}
    if kind == "nest":
        inner, names = spec.nested_request(a)
        check_policy(spec, inner, names, policies, number(pol[POL_IDX]),
                     where)
        return
    if kind == "bitfield32":
        want["mask"] = spec.mask(a["enum"])
        got["mask"] = number(pol[POL_BITFIELD])
    elif kind == "binary":
        want["min-len"] = checks.get("min-len", checks.get("exact-len", 0))
        want["max-len"] = checks.get("max-len", checks.get("exact-len"))
        got["min-len"] = number(pol[POL_MIN_LEN]) if POL_MIN_LEN in pol else 0
        got["max-len"] = number(pol[POL_MAX_LEN])
    else:
        bits = int(kind[1:])
        want["min"] = checks.get("min", 0)
        want["max"] = checks.get("max", (1 << bits) - 1)
        # Of values checked by a function the kernel shows no range.
        got["min"] = number(pol.get(POL_MIN_U, b"\0"))
        got["max"] = number(pol[POL_MAX_U]) if POL_MAX_U in pol else \
            (1 << bits) - 1
    same(where, want, got, "kernel")


def check_policy(spec, setname, names, policies, index, where):
    attrs = spec.sets[setname]
    by_value = {a["value"]: a for a in attrs.values()}
    policy = policies.get(index, {})
    for value in policy:
        a = by_value.get(value)
        if not a or a["name"] not in names:
            problem(f"{where}: kernel takes attribute {value} "
                    f"({a['name'] if a else 'unknown'})")
    for name in names:
        a = attrs[name]
        if a["value"] in policy:
            check_attr(spec, a, policy[a["value"]], policies,
                       f"{where}/{name}")
        elif "byte-order" not in a:
            # This kernel does not tell about attributes in network order.
            problem(f"{where}: kernel does not take {name}")


def check_policies(spec):
    nl = Netlink()
    family = number(nl.family(spec.yaml["name"])[CTRL_FAMILY_ID])
    ops, policies = nl.policies(family)
    same("commands with a policy",
         {op["value"] for op in spec.ops.values() if "notify" not in op},
         set(ops), "kernel")
    for op in spec.ops.values():
        if op["value"] not in ops:
            continue
        names = spec.request(op, "do") + spec.request(op, "dump")
        # One policy serves both, see kernel-policy; a dump refuses them all.
        if len(set(ops[op["value"]].values())) != 1:
            problem(f"{op['name']}: policies of do and dump differ")
        for index in set(ops[op["value"]].values()):
            check_policy(spec, op["attribute-set"], names, policies, index,
                         op["name"])


def print_request(spec, setname, names, depth):
    for name in names:
        a = spec.sets[setname][name]
        kind = a["type"]
        checks = a.get("checks", {})
        if kind == "bitfield32":
            low, high = 0, spec.mask(a["enum"])
        elif kind in ("nest", "binary"):
            low, high = checks.get("min-len", 0), checks.get("max-len", 0)
        else:
            low = checks.get("min", 0)
            high = checks.get("max", (1 << int(kind[1:])) - 1)
        if "byte-order" in a:
            kind = "be" + kind[1:]
        print("attr", depth, a["value"], kind, low, high)
        if kind == "nest":
            print_request(spec, *spec.nested_request(a), depth + 1)


def print_requests(spec):
    """The kernel's policies, with what this kernel does not tell of them.

    family ID
    op COMMAND FLAGS NAME
    attr DEPTH TYPE KIND MIN MAX	in MAX the valid flags, or a length
    """
    nl = Netlink()
    family = nl.family(spec.yaml["name"])
    print("family", number(family[CTRL_FAMILY_ID]))
    for _, op in split(family[CTRL_OPS]):
        op = tree(op)
        cmd = number(op[1])
        name, = (o["name"] for o in spec.ops.values() if o["value"] == cmd)
        print("op", cmd, number(op[2]), name)
        op = spec.ops[name]
        print_request(spec, op["attribute-set"], spec.request(op, "do"), 0)


# ---- messages -----------------------------------------------------------

SIZES = {"u16": 2, "u32": 4, "u64": 8, "bitfield32": 8}
# What a reply may lack.
OPTIONAL = {"dev/lower-ifindex", "conn/reason", "cached/flow-label",
            "dev/pad", "stats/pad"}


def check_values(spec, setname, names, data, where):
    attrs = spec.sets[setname]
    by_value = {a["value"]: a for a in attrs.values()}
    seen = set()
    for kind, payload in split(data):
        a = by_value.get(kind)
        if not a or (a["name"] not in names and a["type"] != "pad"):
            problem(f"{where}: attribute {kind} does not belong here")
            continue
        what = f"{where}/{a['name']}"
        if a["name"] in seen and a["type"] != "pad":
            problem(f"{what}: comes twice")
        seen.add(a["name"])
        checks = a.get("checks", {})
        if a["type"] == "nest":
            inner = a["nested-attributes"]
            check_values(spec, inner, list(spec.sets[inner]), payload, what)
        elif a["type"] in SIZES and len(payload) != SIZES[a["type"]]:
            problem(f"{what}: {len(payload)} bytes")
        elif a["type"] == "binary" and not \
                checks["min-len"] <= len(payload) <= checks["max-len"]:
            problem(f"{what}: {len(payload)} bytes")
        elif a["type"] == "bitfield32":
            value, selector = struct.unpack("=II", payload)
            if value & ~selector or selector & ~spec.mask(a["enum"]):
                problem(f"{what}: {value:#x}/{selector:#x}")
        elif a["type"] in SIZES:
            big = a.get("byte-order") == "big-endian"
            value = int.from_bytes(payload, "big" if big else sys.byteorder)
            if value < checks.get("min", 0) or \
                    value > checks.get("max", value):
                problem(f"{what}: {value} is out of range")
            if "enum" not in a:
                continue
            if spec.defs[a["enum"]]["type"] == "flags":
                ok = not value & ~spec.mask(a["enum"])
            else:
                ok = value in dict((v, n) for n, v in
                                   spec.entries(a["enum"]))
            if not ok:
                problem(f"{what}: {value} is none of {a['enum']}")
    for name in names:
        a = attrs[name]
        if name not in seen and f"{setname}/{name}" not in OPTIONAL:
            problem(f"{where}: {name} is missing")


class Client:
    def __init__(self, spec):
        self.spec = spec
        self.nl = Netlink()
        name = spec.yaml["name"]
        family = self.nl.family(name)
        self.id = number(family[CTRL_FAMILY_ID])
        self.groups = {tree(g)[1].rstrip(b"\0").decode(): number(tree(g)[2])
                       for _, g in split(family[CTRL_MCAST_GROUPS])}
        self.names, _ = header_names()

    def kind(self, setname, name):
        return self.spec.sets[setname][name]["value"]

    def check(self, op, kind, data, where):
        check_values(self.spec, op["attribute-set"],
                     op[kind]["reply"]["attributes"], data, where)

    def do(self, name, *attrs, dump=False):
        op = self.spec.ops[name]
        kind = "dump" if dump else "do"
        replies = self.nl.request(self.id, op["value"], *attrs, dump=dump)
        want = "reply" in op[kind]
        if not dump and len(replies) != want:
            problem(f"{name}: {len(replies)} replies")
        for r in replies:
            self.check(op, kind, r, f"{name} {kind}")
        return [tree(r) for r in replies]


def check_replies(spec, address, port):
    c = Client(spec)
    events = Netlink()
    events.sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
                           c.groups["events"])
    ifindex = c.kind("dev", "ifindex")
    dev, = c.do("dev-get", dump=True)
    dev = u32(ifindex, number(dev[ifindex]))
    c.do("dev-get", dev)
    c.do("dev-set", dev, u32(c.kind("dev", "hz"), 100))
    c.do("dev-pause", dev)
    c.do("dev-resume", dev)

    with socket.create_connection((address, int(port))) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        conn, = c.do("conn-offload", u32(c.kind("conn", "fd"), s.fileno()))
        key = u32(c.kind("conn", "id"), number(conn[c.kind("conn", "id")]))
        c.do("conn-get", key)
        if len(c.do("conn-get", dump=True)) != 1:
            problem("conn-get dump: not one connection")
        c.do("conn-update", key,
             nest(c.kind("conn", "cached"),
                  u32(c.kind("cached", "ka-timeout"), 500)))
        c.do("conn-terminate", key)
        c.do("conn-offload", u32(c.kind("conn", "fd"), s.fileno()))
        c.do("dev-upload-all", dev)

    by_value = {op["value"]: op for op in spec.ops.values()}
    want = ["dev-ntf"] * 3 + ["conn-offload-ntf", "conn-update-ntf",
                              "conn-terminate-ntf", "conn-offload-ntf",
                              "conn-terminate-ntf"]
    got = []
    while len(got) < len(want):
        for kind, _, seq, data in events.messages():
            op = by_value[data[0]]
            got.append(op["name"])
            if kind != c.id or seq or "notify" not in op:
                problem(f"notification {op['name']} is odd")
                continue
            c.check(spec.ops[op["notify"]], "do", data[4:], op["name"])
    if got != want:
        problem(f"notifications: {got}")


def main():
    spec = Spec()
    what = sys.argv[1]
    if what == "header":
        check_header(spec)
        check_docs(spec)
    elif what == "family":
        check_family(spec)
    elif what == "policy":
        check_policies(spec)
    elif what == "requests":
        # No table where the two do not agree.
        check_family(spec)
        check_policies(spec)
        if not problems:
            print_requests(spec)
    elif what == "replies":
        check_replies(spec, *sys.argv[2:4])
    else:
        sys.exit(f"what is {what}?")
    sys.exit(problems > 0)


if __name__ == "__main__":
    main()
