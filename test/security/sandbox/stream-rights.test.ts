import assert from 'node:assert/strict'
import {test} from 'node:test'
import {quoted} from '../../support/guest.js'
import {namespaceCases} from '../../support/namespace-cases.js'
import {NR} from '../../support/system-calls.js'
import {waitUntil} from '../../support/wait-until.js'

/** Tries all that a descriptor might let it do, and tells what went: FD. */
const MISUSE = `
  my ($number) = @ARGV;
  my $path = "/proc/self/fd/$number";
  if (open my $again, "+<", $path) { -f $again and syswrite($again, "INTRUDER") and print STDERR "wrote\\n" }
  if (open my $again, ">>", $path) { -f $again and syswrite($again, "INTRUDER") and print STDERR "appended\\n" }
  if (open my $again, "<", $path) { -f $again and $number > 0 and sysread($again, my $text, 1) and print STDERR "read\\n" }
  open my $same, "+<&=", $number;
  truncate $same, 0 and print STDERR "truncated\\n";
  chmod 04777, $same and -f $same and print STDERR "changed the mode\\n";
  chmod 04777, $path and -f $path and print STDERR "changed the mode by path\\n";
  -f $same && utime(1, 1, $same) and print STDERR "changed the time\\n";
  -d $same && chdir $same and print STDERR "entered\\n";
  link $path, "/tmp/kept" and print STDERR "linked\\n";
  print STDERR "tried\\n";
`.replace(/\s+/g, ' ')

/** Words before a program: one of its streams is `$file`, which a line of Perl has opened. */
function withStream(number: number, line: string): string {
  const [mode, name] =
    (
      [
        ['<', 'STDIN'],
        ['>', 'STDOUT'],
        ['>', 'STDERR'],
      ] as const
    )[number] ?? []
  return `perl -e 'my $file; ${line}; open ${name}, "${mode}&", $file or die "stream: $!"; exec @ARGV'`
}

const FACTS = 'stat -c %a:%s file; cat file'

for (const {title, skip, play} of namespaceCases()) {
  for (const [what, number, redirection] of [
    ['a file as standard input', 0, '<file'],
    ['a file as standard input, opened to read and to write', 0, '<>file'],
    ['a file as standard output, appended to', 1, '>>file'],
    ['a file as standard output, opened to read and to write', 1, '1<>file'],
  ] as const) {
    test(`${title}: the guest can do nothing with ${what} beyond reading or writing it`, {skip}, async () => {
      const {onHost} = await play()
      const ran = await onHost(
        `umask 022; rm -f file; printf 'content\\n' >file
         envs run play perl -e '${MISUSE}' ${number} ${redirection}; ${FACTS}`,
      )
      assert.equal(ran.stderr, 'tried\n')
      assert.equal(ran.stdout, '644:8\ncontent\n')
    })
  }

  test(`${title}: standard error in a file is no way to read or to change that file`, {skip}, async () => {
    const {onHost} = await play()
    const ran = await onHost(
      `umask 022; rm -f file; printf 'content\\n' >file
       envs run play perl -e '${MISUSE}' 2 2>>file; ${FACTS}`,
    )
    assert.equal(ran.stdout, '644:14\ncontent\ntried\n')
  })

  test(`${title}: a file of somebody's that may be read alone can't be written by the guest`, {
    skip,
  }, async () => {
    const {onHost} = await play()
    const ran = await onHost(
      `umask 022; rm -f file; printf 'content\\n' >file; chmod 444 file
       envs run play perl -e '${MISUSE}' 0 <file; ${FACTS}`,
    )
    assert.deepEqual([ran.stdout, ran.stderr], ['444:8\ncontent\n', 'tried\n'])
  })

  for (const [what, open] of [
    ['a folder as standard input', '</'],
    ['a folder as standard input, the caller’s own', '<.'],
  ] as const) {
    test(`${title}: ${what} is refused in words, and nothing runs`, {skip}, async () => {
      const {onHost} = await play()
      const ran = await onHost(`envs run play sh -c 'echo ran; ls /proc/self/fd/0/' ${open}`)
      assert.equal(ran.status, 125)
      assert.equal(ran.stdout, '')
      assert.match(ran.stderr, /^envs: .*[Ss]tandard input.*folder/)
    })
  }

  for (const number of [0, 1, 2]) {
    for (const path of ['/', '/etc/passwd']) {
      test(`${title}: a descriptor of ${path} that is a path alone is refused as stream ${number}`, {
        skip,
      }, async () => {
        const guest = await play()
        const command = [...guest.cli.words, 'run', 'play', 'touch', '/tmp/ran']
        const ran = await guest.onHost(
          `${withStream(number, `sysopen $file, "${path}", 010000000 or die`)} ${quoted(command)}`,
        )
        assert.equal(ran.status, 125)
        if (number !== 2) assert.match(ran.stderr, /^envs: .*[Ss]tandard (?:input|output)/)
        assert.equal((await guest.sh('test -e /tmp/ran || echo never')).stdout, 'never\n')
      })
    }
  }

  test(`${title}: what was read of a file is read, and the rest is the caller's`, {skip}, async () => {
    const {onHost} = await play()
    const ran = await onHost(
      `printf 'one\\ntwo\\nthree\\nfour\\n' >lines
       { read -r line; echo "host $line"; envs run play perl -e 'sysread STDIN, my $text, 4; print "guest $text"'; cat; } <lines`,
    )
    assert.deepEqual([ran.stdout, ran.stderr], ['host one\nguest two\nthree\nfour\n', ''])
  })

  test(`${title}: a file as standard input can be sought in and read again`, {skip}, async () => {
    const {onHost} = await play()
    const seek =
      'my $one = <STDIN>; seek STDIN, 0, 0 or print "no seek\\n"; print $one, <STDIN>; print -s STDIN, "\\n"'
    const ran = await onHost(`printf 'one\\ntwo\\n' >lines; envs run play perl -e '${seek}' <lines`)
    assert.equal(ran.stdout, 'one\none\ntwo\n8\n')
  })

  test(`${title}: output is put where the caller was in the file, and what was there stays`, {
    skip,
  }, async () => {
    const {onHost} = await play()
    const ran = await onHost(
      `printf 'aaaaaaaaaa\\n' >over; { printf 12; envs run play printf 345; printf 67; } 1<>over; cat over
       printf 'begun\\n' >log; { envs run play echo guest; echo host; envs run play echo again; } >>log; cat log
       { envs run play echo first; echo second; } >new; cat new`,
    )
    assert.equal(ran.stdout, '1234567aaa\nbegun\nguest\nhost\nagain\nfirst\nsecond\n')
  })

  test(`${title}: output and errors to one file keep their order`, {skip}, async () => {
    const {onHost} = await play()
    const write = 'for (1 .. 500) { syswrite STDOUT, "out $_\\n"; syswrite STDERR, "err $_\\n" }'
    for (const redirection of ['>both 2>&1', '>>both 2>&1', '2>both >&2']) {
      const ran = await onHost(`rm -f both; envs run play perl -e '${write}' ${redirection}; cat both`)
      const expected = Array.from({length: 500}, (_, index) => `out ${index + 1}\nerr ${index + 1}\n`)
      assert.equal(ran.stdout, expected.join(''), redirection)
    }
  })

  test(`${title}: all that a command wrote to a file is there when envs is over`, {skip}, async () => {
    const {onHost} = await play()
    const ran = await onHost(
      `for i in 1 2 3 4 5; do envs run play head -c 3000000 /dev/zero >zeros; stat -c %s zeros; done`,
    )
    assert.equal(ran.stdout, '3000000\n'.repeat(5))
  })

  test(`${title}: a daemon that stays goes on writing to the file`, {skip}, async () => {
    const {onHost, sh} = await play()
    await sh('rm -f /tmp/go')
    const ran = await onHost(
      `rm -f log; envs run play sh -c 'setsid sh -c "until [ -e /tmp/go ]; do sleep 0.05; done; echo later" & echo now' >log </dev/null 2>&1; cat log`,
    )
    assert.equal(ran.stdout, 'now\n')
    await sh('touch /tmp/go')
    await waitUntil('the daemon’s line', async () => (await onHost('cat log')).stdout === 'now\nlater\n')
  })

  for (const [what, script] of [
    ['a short text', `envs run play cat <<<'short text'`],
    [
      'a text longer than a pipe holds',
      `text=$(head -c 200000 /dev/zero | tr '\\0' x); envs run play cat <<<"$text" | tail -c 11; echo 'short text'`,
    ],
    [
      'a file that is removed already',
      `echo 'short text' >gone; exec 3<gone; rm gone; envs run play cat <&3`,
    ],
  ] as const) {
    test(`${title}: ${what} as standard input is read by the guest`, {skip}, async () => {
      const {onHost} = await play()
      const ran = await onHost(script)
      assert.match(ran.stdout, /short text\n$/, ran.stderr)
    })
  }

  test(`${title}: a file in memory alone as standard input is read by the guest`, {skip}, async () => {
    const guest = await play()
    const make = `open $file, "+<&=", syscall ${NR.memfd_create}, my $name = "x", 0 or die; syswrite $file, "text\\n"; sysseek $file, 0, 0`
    const ran = await guest.onHost(
      `${withStream(0, make)} ${quoted([...guest.cli.words, 'run', 'play', 'cat'])}`,
    )
    assert.deepEqual([ran.stdout, ran.stderr], ['text\n', ''])
  })

  test(`${title}: devices are handed in`, {skip}, async () => {
    const {onHost} = await play()
    const ran = await onHost(
      `envs run play sh -c 'wc -c' </dev/null; envs run play head -c 1000 </dev/zero | wc -c; envs run play echo lost >/dev/null; envs run play echo x >/dev/full; echo $?`,
    )
    assert.equal(ran.stdout, '0\n1000\n1\n')
  })
}
