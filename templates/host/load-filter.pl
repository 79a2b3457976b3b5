#!/usr/bin/perl
# Runs a program under a system call filter, without a user namespace that would give it the right to.
#
# usage: load-filter.pl PRCTL PARENT [%] PROGRAM ARGUMENT...
#   PRCTL   system call number of prctl(2) on this processor
#   PARENT  process id of the one who waits for it; when that one dies, it gets QUIT, by which proot ends all that it runs
#   %       the words after it are percent-encoded, and all variables: Node can pass no bytes that are not UTF-8
# Inherited: 6 classic BPF program.
#
# Sets "no new privileges", which the kernel asks of everybody else. Plain Perl without modules, as session.pl.
use v5.12;
use warnings;

my ($PR_SET_PDEATHSIG, $PR_SET_NO_NEW_PRIVS, $PR_SET_SECCOMP, $SECCOMP_MODE_FILTER) = (1, 38, 22, 2);
my ($SIGQUIT, $ESRCH) = (3, 3);

my ($nr_prctl, $parent, @program) = @ARGV;
if (@program && $program[0] eq '%') {
  shift @program;
  s/%([0-9a-f]{2})/chr hex $1/ge for @program, values %ENV;
}
open(my $pipe, '<&=', 6) or fail('descriptor 6');
my $filter = do { local $/; binmode $pipe; <$pipe> } // '';
close $pipe;
my $instructions = pack('Sx![L!]P', length($filter) / 8, $filter);
syscall($nr_prctl + 0, $PR_SET_PDEATHSIG, $SIGQUIT, 0, 0, 0) == 0 or fail('parent-death');
if (getppid() != $parent) { $! = $ESRCH; fail('parent') }
syscall($nr_prctl + 0, $PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 or fail('no new privileges');
syscall($nr_prctl + 0, $PR_SET_SECCOMP, $SECCOMP_MODE_FILTER, $instructions, 0, 0) == 0 or fail('filter');
no warnings 'exec';    # fail tells it
exec { $program[0] } @program or fail($program[0]);

sub fail {
  my ($what) = @_;
  print STDERR "envs: $what: $!\n";
  exit 1;
}
