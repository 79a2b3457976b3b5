# Timer units. See systemd.timer(5).
package Timers;
use v5.12;
use warnings;
use Calendar;
use Conditions;
use Jobs;
use Loop;
use UnitFile;
use Units;

$Jobs::kind{timer} = {start => \&start, stop => \&stop};

# The times of last starts, for Persistent=. The folder and the names are those of systemd.
my $STAMPS = '/var/lib/systemd/timers';
# An alarm never waits longer: the calendar's clock may be set meanwhile.
my $MOST_SECONDS = 600;

our $booted_at = Loop::now();

sub start {
  my ($unit) = @_;
  $unit->{condition_unmet} = Conditions::unmet($unit, 'Condition');
  return Jobs::finish($unit, 'skipped') if defined $unit->{condition_unmet};
  $unit->{started_at} = Loop::now();
  my $stamp = (stat stamp_of($unit))[9];
  # A first start is no reason to make up for what was missed.
  touch($unit) if is_persistent($unit) && !defined $stamp;
  $unit->{last_time} = is_persistent($unit) ? $stamp // time : time;
  Jobs::set_state($unit, 'active', 'waiting');
  plan($unit);
  Jobs::finish($unit, 'done');
}

sub stop {
  my ($unit) = @_;
  Loop::cancel(delete $unit->{alarm});
  Jobs::set_state($unit, 'inactive', 'dead');
  Jobs::finish($unit, 'done');
}

sub is_persistent { return UnitFile::is_true($_[0], 'Timer.Persistent') }
sub stamp_of      { return "$STAMPS/stamp-$_[0]{name}" }

sub touch {
  my ($unit) = @_;
  mkdir $_ for '/var/lib/systemd', $STAMPS;
  my $path = stamp_of($unit);
  if (open(my $file, '>>', $path)) { utime undef, undef, $path }
}

# Sets the alarm for the earliest of all times that the unit names.
sub plan {
  my ($unit) = @_;
  Loop::cancel(delete $unit->{alarm});
  my $service = Units::load(Units::triggered_by($unit));
  my $now = Loop::now();
  my %base = (
    OnActiveSec => $unit->{started_at}, OnBootSec => $booted_at, OnStartupSec => $booted_at,
    OnUnitActiveSec => $service->{active_at} // $service->{activating_at}, OnUnitInactiveSec => $service->{inactive_at} // $service->{failed_at},
  );
  my @due;
  for my $key (grep { defined $base{$_} } keys %base) {
    for my $text (UnitFile::values_of($unit, "Timer.$key")) {
      my $seconds = Text::seconds($text) // next;
      my $at = $base{$key} + $seconds;
      # A time that has passed counts once, at the start of the timer.
      push @due, $at if $at > ($unit->{last_alarm} // -1);
    }
  }
  for my $text (UnitFile::values_of($unit, 'Timer.OnCalendar')) {
    my $at = Calendar::next_time($text, $unit->{last_time}) // next;
    push @due, $now + $at - time;
  }
  my ($next) = sort { $a <=> $b } @due;
  return $unit->{next} = undef unless defined $next;
  my $spread = UnitFile::seconds($unit, 'Timer.RandomizedDelaySec') // 0;
  $next += rand $spread if $spread;
  $unit->{next} = $next;
  wait_until($unit, $next);
}

sub wait_until {
  my ($unit, $next) = @_;
  my $left = $next - Loop::now();
  if ($left > $MOST_SECONDS) {
    # The clock may have been set by then: the calendar is asked again, without another random delay.
    $unit->{alarm} = Loop::after($MOST_SECONDS, sub { wait_until($unit, $next) });
    return;
  }
  $unit->{alarm} = Loop::after($left > 0 ? $left : 0, sub { elapse($unit) });
}

sub elapse {
  my ($unit) = @_;
  delete $unit->{alarm};
  @$unit{qw(last_alarm last_time)} = (Loop::now(), time);
  touch($unit) if is_persistent($unit);
  my $name = Units::triggered_by($unit);
  Jobs::set_state($unit, 'active', 'running');
  Jobs::start([$name], sub {
    return unless $unit->{state} eq 'active';
    Jobs::set_state($unit, 'active', 'waiting');
    plan($unit) unless $unit->{alarm};
  });
}

sub service_ended {
  my ($service) = @_;
  for my $unit (grep { Units::kind_of($_) eq 'timer' && $_->{state} eq 'active' && !$_->{alarm} } Units::loaded()) {
    plan($unit) if Units::triggered_by($unit) eq $service->{name};
  }
}

1;
