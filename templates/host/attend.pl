#!/usr/bin/perl
# The main process of the host's unit of an environment: boots the environment, and ends with it.
#
# usage: attend.pl ENVS NAME RUN
#   ENVS   path of bin/envs
#   NAME   of the environment
#   RUN    folder of its run-time state
#
# SIGTERM stops the environment. Ends with the status of "envs start" if that failed; else as the environment did, as far as its keeper
# wrote that to boot.json, or with 0. Only perl-base may be there.
use v5.12;
use warnings;

my $LOCK_SH = 1;
my $MAX_STATE_BYTES = 4096;

my ($envs, $name, $run) = @ARGV;
my ($child, $stops) = (0, 0);
# Interrupts a start that is under way; the next wait sees it too.
$SIG{TERM} = $SIG{INT} = sub { $stops = 1; kill TERM => $child if $child };

my $status = run_envs('start', '--quiet', $name);
exit $status if $status && !$stops;
until ($stops || has_ended()) { }
if ($stops) {
  $SIG{TERM} = $SIG{INT} = 'IGNORE';
  exit run_envs('stop', '--quiet', $name);
}
exit ended_with();

sub run_envs {
  my @words = @_;
  $child = fork() // exit 7;
  if ($child == 0) {
    $SIG{$_} = 'DEFAULT' for qw(TERM INT);
    exec { $envs } $envs, @words or exit 7;
  }
  1 until waitpid($child, 0) == $child || $!{ECHILD};
  $child = 0;
  return $? & 127 ? 128 + ($? & 127) : $? >> 8;
}

# Waits for the lock that the keeper of the environment holds as long as it lives. A signal ends the wait.
sub has_ended {
  open(my $lock, '<', "$run/anchor.lock") or return 1;
  return flock($lock, $LOCK_SH);
}

sub ended_with {
  open(my $file, '<', "$run/boot.json") or return 0;
  read $file, (my $text = ''), $MAX_STATE_BYTES;
  return 0 unless $text =~ /"state":\s*"ended"/;
  return $text =~ /"status":\s*([0-9]{1,3})\b/ ? $1 : 0;
}
