#!/usr/bin/perl
# The first process of an environment with services: starts the enabled ones from their unit files, looks after them, and stops them
# all before the environment ends.
#
# usage: init.pl NUMBER    the system call number of prlimit64 on this processor
# Inherited: 4 pipe for one line when sessions may join; 6 and 10 stay open as long as the environment runs. At 6 the keeper on the
# host reads "ended STATUS" before the end: 0, 133 for a reboot, N for "systemctl exit N". Without that line it was killed.
#
# SIGTERM and SIGRTMIN+3 end the environment politely; bin/systemctl asks for all else: see Control.pm. State is below
# /run/envs-services, logs are below /var/log/services. Not done of systemd: sandboxing and limits by control groups, mounts, D-Bus
# activation, user managers. A setting that is not done has no effect, as on a kernel without it.
#
# Only perl-base may be installed.
use v5.12;
use warnings;
use Fcntl qw(F_SETFD FD_CLOEXEC);

BEGIN {
  $^F = 2;    # what is opened here is closed at exec: services get none of it
  my ($folder) = $0 =~ m{^(.*)/};
  unshift @INC, $folder, "$folder/units", "$folder/service";
}
use Boot;
use Control;
use Jobs;
use Links;
use Listeners;
use Logs;
use Loop;
use Notices;
use Process;
use Report;
use Service;
use Timers;
use Units;
use Verbs;

my $STATE = '/run/envs-services';
# Of systemd: SIGRTMIN is 34.
my ($HALT_SIGNAL, $HALT_NOW_SIGNAL) = ('NUM37', 'NUM47');

($Process::nr_prlimit64) = @ARGV;
umask 022;
%ENV = (PATH => '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG => 'C.UTF-8');
my ($ready, $keeper) = keep_inherited();
open(STDIN, '<', '/dev/null');

my ($is_over, $status) = (0, 0);
Loop::begin({TERM => \&leave, PWR => \&leave, $HALT_SIGNAL => \&leave, $HALT_NOW_SIGNAL => sub { $is_over = 1 }});
# A guest's "kill -1" as root does not reach pid 1; these would come from outside.
$SIG{$_} = 'IGNORE' for qw(HUP INT QUIT USR1 USR2);
$Verbs::leave = \&leave;

Boot::empty_run();
mkdir $STATE, 0755;
Boot::prepare_tree();
Boot::link_programs("$INC[0]/bin", $Control::PATH);
Boot::make_files();
Boot::run_generators();
Logs::begin(\&Service::of_process);
Control::begin();
if ($ready) {
  syswrite $ready, "ready\n";
  close $ready;
}
open(STDOUT, '>', '/dev/null');
open(STDERR, '>>', "$Logs::FOLDER/supervisor.log");
Jobs::start([Verbs::default_target()], \&boot_is_over);
Loop::run(sub { $is_over }, \&Service::process_ended);
if ($keeper) { syswrite $keeper, "ended $status\n" }
exit $status;

# Returns the pipes of readiness and to the keeper; undef where this program is started by hand. No service gets these descriptors.
sub keep_inherited {
  my @kept = map { adopt($_) } 4, 6, 10;
  # The FIFO of looks: an environment with services does not end for lack of a session.
  if (open(my $looks, '<&=', 5)) { close $looks }
  our @kept_open = grep { defined } @kept[1, 2];
  return @kept[0, 1];
}

sub adopt {
  my ($number) = @_;
  open(my $handle, '>&=', $number) or return undef;
  fcntl($handle, F_SETFD, FD_CLOEXEC);
  return $handle;
}

sub boot_is_over {
  $Report::is_booting = 0;
  Verbs::boot_is_over();
}

# Stops all units, in the opposite order of their start, then ends pid 1, with which the kernel ends the rest.
sub leave {
  my ($wanted) = @_;
  return if $Report::is_stopping;
  $Report::is_stopping = $Jobs::is_leaving = 1;
  $status = $wanted if defined $wanted;
  my @names = map { $_->{name} } grep { !$_->{is_stub} && ($_->{state} !~ /^(?:inactive|failed)$/ || Jobs::of_unit($_)) } Units::loaded();
  Jobs::stop(\@names, sub { $is_over = 1 });
}
