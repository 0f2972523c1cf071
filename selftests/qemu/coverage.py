#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Adds up which lines of the module have run.

usage: coverage.py [--branches] FOLDER

FOLDER holds what guests have counted, a tar file of .gcda for each boot; vm.sh
leaves it there when CHIMNEY_COVERAGE names the folder.  The module must still be
where it was built, for the .gcno beside its objects.  Prints lines and branches
of each file, the functions and lines that never ran and, if asked, the branches
never taken.  A branch counts as taken for each of its ways out.
"""

import argparse
import collections
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile

# Of the module, but not of its tests
SOURCE = re.compile(r'/drivers/net/chimney/([^/]+\.[ch])$')
TEST = re.compile(r'_test\.[ch]$')


class File:
    """Counts of one source file, over all objects and boots."""

    def __init__(self):
        self.lines = collections.Counter()
        self.branches = collections.Counter()
        self.functions = {}

    def add(self, seen):
        for line in seen['lines']:
            number = line['line_number']
            self.lines[number] += line['count']
            for i, branch in enumerate(line['branches']):
                self.branches[number, i] += branch['count']
        for function in seen['functions']:
            name = function['demangled_name']
            first, last = function['start_line'], function['end_line']
            count = function['execution_count']
            if name in self.functions:
                count += self.functions[name][2]
            self.functions[name] = first, last, count

    def function_at(self, number):
        for name, (first, last, _) in self.functions.items():
            if first <= number <= last:
                return name
        return ''

    def dead_functions(self):
        return {name: span[:2] for name, span in self.functions.items()
                if not span[2]}

    def dead_lines(self):
        """Ranges of lines that never ran in functions that did."""
        dead = self.dead_functions().values()
        start = last = None
        for number in sorted(self.lines):
            if any(a <= number <= b for a, b in dead):
                continue
            if self.lines[number]:
                if start:
                    yield start, last
                start = None
                continue
            if start and self.function_at(start) != self.function_at(number):
                yield start, last
                start = None
            start = start or number
            last = number
        if start:
            yield start, last


def gcov(folder, gcda):
    """Yields what gcov tells of the sources of one object."""
    path = os.path.join(folder, gcda)
    gcno = '/' + gcda[:-len('gcda')] + 'gcno'
    if not os.path.exists(gcno):
        sys.exit('%s is gone: build and run again' % gcno)
    os.symlink(gcno, path[:-len('gcda')] + 'gcno')
    out = subprocess.run(['gcov', '-b', '-j', '-t', path], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if b'stamp mismatch' in out.stderr:
        sys.exit('%s is of another build: run again' % gcda)
    for line in out.stdout.splitlines():
        yield from json.loads(line)['files']


def collect(folder):
    """Returns the files and how many boots were added up."""
    files = collections.defaultdict(File)
    boots = [name for name in sorted(os.listdir(folder))
             if name.endswith('.tar')]
    for name in boots:
        with tempfile.TemporaryDirectory() as tmp:
            with tarfile.open(os.path.join(folder, name)) as tar:
                tar.extractall(tmp)
                members = [m.name for m in tar if m.name.endswith('.gcda')]
            for gcda in members:
                for seen in gcov(tmp, gcda):
                    match = SOURCE.search(seen['file'])
                    if match and not TEST.search(match.group(1)):
                        files[match.group(1)].add(seen)
    return files, len(boots)


def share(counts):
    ran = sum(1 for count in counts if count)
    percent = 100 * ran / len(counts) if counts else 100
    return '%6d of %5d %6.1f %%' % (ran, len(counts), percent)


def spans(ranges):
    return ', '.join('%d' % a if a == b else '%d-%d' % (a, b)
                     for a, b in ranges)


def main():
    args = argparse.ArgumentParser()
    args.add_argument('--branches', action='store_true')
    args.add_argument('folder')
    args = args.parse_args()
    files, boots = collect(args.folder)
    if not files:
        sys.exit('no counts in %s' % args.folder)

    print('%-18s %25s %25s' % ('%d boots' % boots, 'lines', 'branches'))
    for name in sorted(files):
        print('%-18s %25s %25s' % (name, share(files[name].lines.values()),
                                   share(files[name].branches.values())))
    lines = [n for f in files.values() for n in f.lines.values()]
    branches = [n for f in files.values() for n in f.branches.values()]
    print('%-18s %25s %25s' % ('total', share(lines), share(branches)))

    print('\nFunctions that never ran:')
    for name in sorted(files):
        for function, (first, last) in files[name].dead_functions().items():
            print('  %s:%d-%d %s' % (name, first, last, function))
    print('\nLines that never ran in functions that did:')
    for name in sorted(files):
        where = collections.defaultdict(list)
        for first, last in files[name].dead_lines():
            where[files[name].function_at(first)].append((first, last))
        for function, ranges in where.items():
            print('  %s:%s %s' % (name, spans(ranges), function))
    if not args.branches:
        return
    print('\nLines that ran with a way out never taken:')
    for name in sorted(files):
        never = sorted({number for (number, _), count
                        in files[name].branches.items()
                        if not count and files[name].lines[number]})
        if never:
            print('  %s:%s' % (name, spans((n, n) for n in never)))


main()
