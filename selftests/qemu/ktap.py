#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Counts individual tests in what the kselftest runner prints.

usage: ktap.py [--tag TAG] [--log FILE] --sum FILE PROGRAM...

Reads the runner's output, or with --plain that of a single program, from
standard input as it comes, prints one line per program, the figures it told
("# figure: TEXT") and each test that did not pass with what it said last, and
writes "PASS|FAIL|SKIP<tab>program<tab>test" lines to the --sum file.  Anything
less than a clear success is a failure: a program that is
missing, has no plan, or printed other than its plan; that exits non-zero though
its tests passed.
"""

import argparse
import collections
import re
import sys
import time

RESULT = re.compile(r'^( *)(ok|not ok)\b *(\d*) *(?:- )?(.*)$')
DIRECTIVE = re.compile(r'(?:^|\s)#\s*(SKIP|XFAIL|TODO|TIMEOUT|ERROR)\b *(.*)$',
                       re.I)
PLAN = re.compile(r'^( *)1\.\.(\d+)')
BEGIN = re.compile(r'^# selftests: [^:]+: (\S+)')
SAID = 40    # lines printed of what a test said before it failed
FIGURE = re.compile(r'^# +figure: (.*)$')
END = re.compile(r'^(ok|not ok) \d+ selftests: [^:]+: (\S+)(.*)$')


class Level:
    """Results seen at one depth of nesting."""

    def __init__(self):
        self.seen = 0
        self.plan = None
        self.bad = 0


class Program:
    """Follows the KTAP of one test program."""

    def __init__(self, name):
        self.name = name
        self.start = time.monotonic()
        self.levels = {}
        self.results = []
        self.figures = []
        self.said = collections.deque(maxlen=SAID)

    def add(self, verdict, test):
        self.results.append((verdict, test, list(self.said)))

    def count(self, verdict):
        return sum(1 for v, _, _ in self.results if v == verdict)

    def close_deeper(self, indent, owner):
        """Ends groups nested below indent; returns (had any, any bad)."""
        had = bad = False
        for depth in sorted(d for d in self.levels if d > indent):
            level = self.levels.pop(depth)
            had = had or level.seen > 0
            if level.plan is not None and level.plan != level.seen:
                self.add('FAIL', '%s: planned %d, saw %d' %
                         (owner, level.plan, level.seen))
                level.bad += 1
            bad = bad or level.bad > 0
        return had, bad

    def line(self, text):
        match = PLAN.match(text)
        if match:
            level = self.levels.setdefault(len(match.group(1)), Level())
            if level.plan is not None:
                self.add('FAIL', 'planned twice')
            level.plan = int(match.group(2))
            return
        match = RESULT.match(text)
        if not match:
            figure = FIGURE.match(text)
            if figure:
                self.figures.append(figure.group(1))
            self.said.append(text)
            if text.startswith('Bail out!'):
                self.add('FAIL', text)
            return
        indent = len(match.group(1))
        rest = match.group(4)
        directive = DIRECTIVE.search(rest)
        test = rest[:directive.start()] if directive else rest
        test = test.strip() or 'test %s' % match.group(3)
        word = directive.group(1).upper() if directive else ''
        passed = match.group(2) == 'ok' and word not in ('ERROR', 'TIMEOUT')
        had, bad = self.close_deeper(indent, test)
        level = self.levels.setdefault(indent, Level())
        level.seen += 1
        number = match.group(3)
        if number and int(number) != level.seen:
            self.add('FAIL', '%s: numbered %s, is the %d.' %
                     (test, number, level.seen))
        if word in ('SKIP', 'XFAIL', 'TODO'):
            self.add('SKIP', '%s # %s %s' % (test, word, directive.group(2)))
            level.bad += 1
        elif had:
            # A summary of the nested tests, which were counted.
            if not passed and not bad:
                self.add('FAIL', test)
            level.bad += not passed
        else:
            self.add('PASS' if passed else 'FAIL', test)
            level.bad += not passed
        self.said.clear()

    def end(self, passed, why):
        """The program ended, and the runner said whether it exited with 0."""
        top = self.levels.get(0)
        self.close_deeper(0, 'end')
        if top is None or top.plan is None:
            self.add('FAIL', 'no plan')
        elif top.plan != top.seen:
            self.add('FAIL', 'planned %d, saw %d' % (top.plan, top.seen))
        elif top.seen == 0:
            self.add('FAIL', 'no tests')
        if not passed and not (self.count('FAIL') or self.count('SKIP')):
            self.add('FAIL', why.strip(' #') or 'failed')
        elif not passed and 'TIMEOUT' in why:
            self.add('FAIL', why.strip(' #'))


def main():
    args = argparse.ArgumentParser()
    args.add_argument('--tag', default='')
    args.add_argument('--log')
    args.add_argument('--sum', required=True)
    args.add_argument('--plain', action='store_true')
    args.add_argument('programs', nargs='*')
    args = args.parse_args()

    done = []
    current = None
    log = open(args.log, 'w', encoding='utf-8') if args.log else None
    tag = args.tag + ' ' if args.tag else ''

    def close(passed, why):
        current.end(passed, why)
        done.append(current)
        print('%s%s: %d passed, %d failed, %d skipped (%.0f s)' %
              (tag, current.name, current.count('PASS'),
               current.count('FAIL'), current.count('SKIP'),
               time.monotonic() - current.start))
        for figure in current.figures:
            print('  ' + figure)
        for verdict, test, said in current.results:
            if verdict != 'PASS':
                print('  %s %s' % (verdict, test))
                for text in said:
                    print('    ' + text)
        sys.stdout.flush()

    if args.plain:
        current = Program(args.programs[0])
    for text in sys.stdin.buffer:
        text = text.decode('utf-8', 'replace').rstrip('\r\n')
        if log:
            log.write(text + '\n')
            log.flush()
        if args.plain:
            current.line(text)
            continue
        match = BEGIN.match(text)
        if match and current is None:
            current = Program(match.group(1))
            continue
        match = END.match(text)
        if match and current is not None:
            close(match.group(1) == 'ok' and not match.group(3), match.group(3))
            current = None
        elif current is not None and text.startswith('#'):
            current.line(text[2:])
    if args.plain:
        close(True, '')
    elif current is not None:
        close(False, '')
        current.add('FAIL', 'did not end')
        print('  FAIL did not end')

    with open(args.sum, 'w', encoding='utf-8') as out:
        for program in done:
            for verdict, test, _ in program.results:
                out.write('%s\t%s\t%s\n' % (verdict, program.name, test))
        for name in args.programs:
            if name not in [program.name for program in done]:
                print('%s%s: did not run' % (tag, name))
                out.write('FAIL\t%s\tdid not run\n' % name)


main()
