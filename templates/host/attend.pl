#!/usr/bin/perl
# The main process of the host's unit of an environment: boots the environment, and ends with it.
#
# usage: attend.pl ENVS NAME RUN
#   ENVS   path of bin/envs
#   NAME   of the environment
#   RUN    folder of its run-time state
#
# SIGTERM stops the environment. Ends with the status of "envs start" if that failed; with 0 if envs stopped the environment, which it
# says in stop.json; else as the environment ended by itself, which its keeper says in boot.json; else with 137: something killed it.
# Only perl-base may be there.
use v5.12;
use warnings;

my $LOCK_SH = 1;
my $MAX_STATE_BYTES = 4096;
my $KILLED = 137;

my ($envs, $name, $run) = @ARGV;
my ($child, $stops) = (0, 0);
# Interrupts a start that is under way; the next wait sees it too.
$SIG{TERM} = $SIG{INT} = sub { $stops = 1; kill TERM => $child if $child };

my $status = run_envs('start', '--quiet', $name);
exit $status if $status && !$stops;
# Held from here on: no other start may write the files that tell of this end.
my $ended;
until ($stops || ($ended = wait_for_end())) { }
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
sub wait_for_end {
  open(my $lock, '<', "$run/anchor.lock") or return 1;
  return flock($lock, $LOCK_SH) ? $lock : undef;
}

sub ended_with {
  my ($stopped, $anchor, $boot) = map { text_of("$run/$_") } 'stop.json', 'anchor.json', 'boot.json';
  # Without a state it was removed, or has another name; envs stops it first. An older stop is that of another first process.
  return 0 if $anchor eq '' || $anchor eq $stopped;
  return $KILLED unless $boot =~ /"state":\s*"ended"/;
  return $boot =~ /"status":\s*([0-9]{1,3})\b/ ? $1 : $KILLED;
}

sub text_of {
  my ($path) = @_;
  open(my $file, '<', $path) or return '';
  read $file, (my $text = ''), $MAX_STATE_BYTES;
  return $text;
}
