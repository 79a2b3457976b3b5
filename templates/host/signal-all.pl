#!/usr/bin/perl
# Sends signals to all processes of a running environment, and lets them go on when its input ends.
#
# usage: signal-all.pl ANCHOR NUMBERS WORD...
#   ANCHOR   process id of the environment's pid 1, as the host sees it
#   NUMBERS  "prctl,setns": their system call numbers on this processor
#   WORD     NAME of a signal for all, or NAME:PID for one of them, with its id in the guest; sent in that order
#
# When that is done it says so by a line on standard output. The end of standard input, which also comes when the caller is
# killed, sends CONT: one by one to the ids in the last line that was read, else to all. Exits with 1 where it could do nothing.
#
# This process is in the host's pid namespace, where nobody of the guest can see it. Only from within can a signal reach all
# at one moment, so a child enters for that moment. It is hidden: else the guest's root could go to the host's files by its
# /proc/PID/root, and open this program by /proc/PID/exe.
#
# Plain Perl without modules, as session.pl. See kill(2) for -1, setns(2), prctl(2) and proc(5) for PR_SET_DUMPABLE.
use strict;
use warnings;

my ($PR_SET_DUMPABLE, $CLONE_NEWUSER, $CLONE_NEWPID) = (4, 0x10000000, 0x20000000);

BEGIN { $^F = 2 }    # nothing but standard streams is inherited by anyone

my ($anchor, $numbers, @words) = @ARGV;
my ($nr_prctl, $nr_setns) = map { $_ + 0 } split /,/, $numbers;

# Who is to let all go on must be there to do so.
$SIG{$_} = 'IGNORE' for qw(HUP INT QUIT TERM PIPE);
my ($user, $pid) = map { open_namespace($_) } qw(user pid);
# An ordinary user may join nothing before the user namespace gives it the right to; the host's root loses that right there.
my $is_root = join_namespace($pid, $CLONE_NEWPID);
join_namespace($user, $CLONE_NEWUSER) or exit 1;
$is_root or join_namespace($pid, $CLONE_NEWPID) or exit 1;
syscall($nr_prctl, $PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 or exit 1;

from_within(sub { send_word($_) for @words }) or exit 1;
syswrite STDOUT, "sent\n";
my $last;
while (defined(my $line = <STDIN>)) { $last = $line }
my @ids = ($last // '') =~ /\d+/g;
from_within(sub { @ids ? map({ kill CONT => $_ } @ids) : kill(CONT => -1) }) or exit 1;

sub open_namespace {
  my ($kind) = @_;
  open(my $file, '<', "/proc/$anchor/ns/$kind") or exit 1;
  return $file;
}

sub join_namespace {
  my ($file, $type) = @_;
  return syscall($nr_setns, fileno $file, $type) == 0;
}

# Once pid 1 has ended there is nobody to send to, and no process can be made there.
sub from_within {
  my ($work) = @_;
  my $child = fork() // return 0;
  if ($child == 0) {
    $work->();
    exit 0;
  }
  waitpid $child, 0;
  return 1;
}

sub send_word {
  my ($name, $id) = split /:/, $_[0];
  kill $name => $id // -1;
}
