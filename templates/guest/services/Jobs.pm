# Jobs: what is to be started and stopped, in an order that fits the dependencies. See "Requirements" in systemd.unit(5).
#
# A unit has at most one job: {unit, verb: start|stop, is_running, restarts, waiting: calls to make with the result}. The results are
# done, skipped, failed, timeout, dependency, canceled, not-found and masked.
package Jobs;
use v5.12;
use warnings;
use Logs;
use Loop;
use UnitFile;
use Units;

# Start and stop of each kind of unit, filled by the modules of the kinds: {start => sub, stop => sub}. Both call finish() at the end.
our %kind;
our $is_leaving = 0;
my %job;

sub of_unit { return $job{$_[0]{name}} }
sub count   { return scalar keys %job }

sub is_up { return $_[0]{state} =~ /^(?:active|reloading)$/ }

# Starts units and what they need. Calls $done once with {name => result} when all of these have been settled.
sub start {
  my ($names, $done) = @_;
  my @jobs = map { add_start($_, {}) } @$names;
  # Units that one wants may have come after its start, such as a new cluster of PostgreSQL: its package starts the unit of all clusters.
  for my $unit (grep { is_up($_) && !$_->{is_stub} } map { Units::load($_) } @$names) {
    add_start($_, {}) for Units::requires($unit), Units::wants($unit);
  }
  await(\@jobs, $names, $done);
}

sub stop {
  my ($names, $done) = @_;
  await([map { add_stop(Units::load($_)) } @$names], $names, $done);
}

# Stops units that are up, then starts them. Units that depend on them follow.
sub restart {
  my ($names, $done) = @_;
  my @jobs;
  for my $name (@$names) {
    my $unit = Units::load($name);
    # It could not start again.
    if ($unit->{load_state} ne 'loaded') {
      push @jobs, $unit->{load_state};
      next;
    }
    if ($unit->{state} =~ /^(?:inactive|failed)$/ && !of_unit($unit)) {
      push @jobs, add_start($name, {});
      next;
    }
    my @followers = grep { is_up($_) } followers($unit);
    push @jobs, add_stop($unit);
    $_->{restarts} = 1 for grep { ref } $jobs[-1], map { of_unit($_) } @followers;
  }
  await(\@jobs, $names, $done);
}

# @param $jobs - a job for each name, or a result that is known already.
sub await {
  my ($jobs, $names, $done) = @_;
  my (%result, $left);
  for my $index (0 .. $#$names) {
    my $job = $jobs->[$index];
    if (!ref $job) {
      $result{$names->[$index]} = $job;
      next;
    }
    $left++;
    push @{$job->{waiting}}, sub {
      $result{$names->[$index]} = shift;
      $done->(\%result) if --$left == 0 && $done;
    };
  }
  Loop::soon(sub { $done->(\%result) }) if !$left && $done;
  Loop::soon(\&run_ready);
}

# Returns the unit's job, or a result where there is nothing to do. @param $seen - names on the way here.
sub add_start {
  my ($name, $seen) = @_;
  my $unit = Units::load($name);
  return $unit->{load_state} if $unit->{load_state} ne 'loaded';
  return 'done' if $unit->{is_stub};
  # A caller on a socket must not start again what the end of the environment has stopped.
  return 'canceled' if $is_leaving;
  if (my $job = of_unit($unit)) {
    $job->{restarts} = 1 if $job->{verb} eq 'stop';
    return $job;
  }
  return 'done' if is_up($unit);
  return 'done' if $seen->{$unit->{name}}++;
  my $job = $job{$unit->{name}} = {unit => $unit, verb => 'start', waiting => []};
  for my $needed (Units::requires($unit)) {
    my $result = add_start($needed, $seen);
    # A missing requirement fails the unit, as in systemd.
    $job->{broken} = $needed if $result eq 'not-found' || $result eq 'masked';
  }
  add_start($_, $seen) for Units::wants($unit);
  for my $other (map { Units::load($_) } Units::names_in($unit, 'Conflicts')) { add_stop($other) if !$other->{is_stub} && is_up($other) }
  return $job;
}

# Stops a unit, and first those that can't be without it.
sub add_stop {
  my ($unit) = @_;
  return 'done' if $unit->{is_stub};
  my $job = of_unit($unit);
  return $job if $job && $job->{verb} eq 'stop';
  if ($job && !$job->{is_running}) { finish($unit, 'canceled') }
  return 'done' if $unit->{state} =~ /^(?:inactive|failed)$/ && !$unit->{is_restarting};
  my $waiting = $job && $job{$unit->{name}} ? $job->{waiting} : [];
  my $new = $job{$unit->{name}} = {unit => $unit, verb => 'stop', waiting => []};
  # Callers that waited for the start, which ends here, get their answer.
  Loop::soon(map { my $call = $_; sub { $call->('canceled') } } @$waiting);
  add_stop($_) for followers($unit);
  return $new;
}

# Units that stop when this one does.
sub followers {
  my ($unit) = @_;
  return grep { my $each = $_; !$each->{is_stub} && $each->{state} !~ /^(?:inactive|failed)$/ && $each != $unit
      && grep { $_ eq $unit->{name} } Units::names_in($each, qw(Requires BindsTo PartOf Requisite)) } Units::loaded();
}

# Runs every job that waits for no other one.
sub run_ready {
  my @waiting = sort { $a->{unit}{name} cmp $b->{unit}{name} } grep { !$_->{is_running} } values %job;
  my @ready = grep { !is_blocked($_) } @waiting;
  # A cycle of three and more: the first one runs.
  @ready = $waiting[0] if @waiting && !@ready && !grep { $_->{is_running} } values %job;
  for my $job (@ready) {
    # A job before may have ended this one.
    run_one($job) if ($job{$job->{unit}{name}} // 0) == $job;
  }
}

sub run_one {
  my ($job) = @_;
  my ($unit, $verb) = @$job{qw(unit verb)};
  $job->{is_running} = 1;
  if ($verb eq 'start' && defined $job->{broken}) {
    Logs::note($unit, "not started: it requires $job->{broken}, which is not there");
    finish($unit, 'dependency');
  }
  elsif ($verb eq 'start' && is_up($unit)) { finish($unit, 'done') }
  else                                     { $kind{Units::kind_of($unit)}{$verb}->($unit) }
}

sub is_blocked {
  my ($job) = @_;
  my $unit = $job->{unit};
  for my $other (grep { $_ != $job } values %job) {
    # Stops come first, in the opposite order of starts.
    if ($job->{verb} eq 'stop') { return 1 if $other->{verb} eq 'stop' && stops_first($other->{unit}, $unit) }
    elsif (Units::comes_after($unit, $other->{unit})) {
      # Of two that wait for each other, the one whose name comes first runs.
      return 1 unless Units::comes_after($other->{unit}, $unit) && $unit->{name} lt $other->{unit}{name};
    }
  }
  return 0;
}

# Units that come after a socket need the service behind it, although no dependency says so.
sub stops_first {
  my ($other, $unit) = @_;
  return 0 if Units::comes_after($unit, $other);
  return scalar grep { Units::comes_after($other, $_) } $unit, grep { $_ != $other } Units::sockets_of($unit);
}

# Ends a unit's job. Units that require it do not start after a failure.
sub finish {
  my ($unit, $result) = @_;
  my $job = delete $job{$unit->{name}} or return;
  my @calls = @{$job->{waiting}};
  if ($job->{verb} eq 'stop' && $job->{restarts}) {
    my $next = add_start($unit->{name}, {});
    if (ref $next) { push @{$next->{waiting}}, splice @calls }
    else           { $result = $next }
  }
  $_->($result) for @calls;
  if ($job->{verb} eq 'start' && $result !~ /^(?:done|skipped)$/) {
    for my $other (map { $_->{unit} } grep { $_->{verb} eq 'start' && !$_->{is_running} } values %job) {
      next unless grep { $_ eq $unit->{name} } Units::requires($other);
      Logs::note($other, "not started: $unit->{name} failed");
      finish($other, 'dependency');
    }
  }
  Loop::soon(\&run_ready);
}

# A unit has ended by itself.
sub has_ended {
  my ($unit) = @_;
  my @bound = grep { is_up($_) && grep { $_ eq $unit->{name} } Units::names_in($_, 'BindsTo') } Units::loaded();
  stop([map { $_->{name} } @bound]) if @bound;
  my @handlers = Units::names_in($unit, $unit->{state} eq 'failed' ? 'OnFailure' : 'OnSuccess');
  start(\@handlers) if @handlers;
}

$kind{target} = {
  start => sub { my ($unit) = @_; set_state($unit, 'active', 'active'); finish($unit, 'done') },
  stop  => sub { my ($unit) = @_; set_state($unit, 'inactive', 'dead'); finish($unit, 'done') },
};

sub set_state {
  my ($unit, $state, $sub) = @_;
  if ($state ne $unit->{state}) {
    $unit->{since} = time;
    $unit->{"${state}_since"} = time;
    $unit->{"${state}_at"} = Loop::now();
  }
  @$unit{qw(state sub)} = ($state, $sub);
}

1;
