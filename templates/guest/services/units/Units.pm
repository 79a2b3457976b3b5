# Finds units: files, drop-ins, aliases, templates, links of dependencies; init scripts that have no unit. See systemd.unit(5).
package Units;
use v5.12;
use warnings;
use InitScript;
use Text;
use UnitFile;

# The first has priority. The generator folders are where Boot.pm lets generators write.
our @FOLDERS = (
  qw(/etc/systemd/system /run/systemd/system /run/systemd/generator /usr/local/lib/systemd/system),
  qw(/usr/lib/systemd/system /lib/systemd/system),
);
my $NAME = qr/^[A-Za-z0-9:_.\\-]+(?:\@[A-Za-z0-9:_.\\-]*)?\.(?:service|socket|timer|target|path)$/;
# Kinds that a guest has none of. Who requires one of them gets it, as if it were there.
my $ABSENT_KIND = qr/\.(?:mount|automount|swap|device|slice|scope)$/;
# Units for hardware, consoles and parts of systemd itself.
my $ABSENT_UNIT = qr/^(?:
  systemd-(?!tmpfiles-clean) | getty | console-getty | serial-getty | container-getty | autovt | emergency | rescue | initrd |
  debug-shell | kmod | udev | modprobe@ | quotaon | ldconfig\. | proc-sys | sys- | dev- | e2scrub | fstrim | blk-availability |
  lvm2 | dm-event | mdadm | mdmonitor | multipath | cryptdisks | keyboard-setup | console-setup | setvtrgb | plymouth |
  hwclock | networking\. | ifupdown | netplan | cloud- | snapd | apparmor\. | grub- | user@ | user-runtime-dir | rc-local |
  procps\. | x11-common\. | kexec
)/x;
# Sockets that the package of systemd has. In a tree without it, a service that requires one opens its own.
my $OF_SYSTEMD = qr/^syslog\.socket$/;
# The targets that a boot goes through, also in a tree without systemd's own files.
my %BUILT_IN = (
  'sysinit.target'    => [[After => 'local-fs.target']],
  'basic.target'      => [[Requires => 'sysinit.target'], [Wants => 'sockets.target timers.target paths.target'],
                          [After => 'sysinit.target sockets.target timers.target paths.target']],
  'multi-user.target' => [[Requires => 'basic.target'], [After => 'basic.target']],
  'graphical.target'  => [[Requires => 'multi-user.target'], [After => 'multi-user.target']],
);

my %unit;
# Aliases on the way to a unit.
our %is_followed;

# Returns the unit of a name; an absent one has the load state "not-found".
sub load {
  my ($name) = @_;
  return $unit{$name} if $unit{$name};
  my $found = find($name);
  $unit{$name} = $found;
  $unit{$found->{name}} //= $found;
  return $unit{$found->{name}};
}

# All that were loaded, each once.
sub loaded {
  return sort { $a->{name} cmp $b->{name} } grep { $unit{$_->{name}} == $_ } values %{{map { $_->{name} => $_ } values %unit}};
}

# Reads files again. A unit keeps its state, its result and its history, and gets the new settings; one whose file is gone keeps the
# old ones, with which it can be stopped. Only what has no file and has left nothing behind is dropped.
#
# @param $has_job - Whether something is still to happen to a unit.
sub reload {
  my ($has_job) = @_;
  my @known = loaded();
  # Aliases are looked for again.
  %unit = map { $_->{name} => $_ } @known;
  for my $old (@known) {
    my $fresh = find($old->{name});
    my $is_loaded = $fresh->{load_state} eq 'loaded' && $fresh->{name} eq $old->{name};
    @$old{qw(set path drop_ins)} = @$fresh{qw(set path drop_ins)} if $is_loaded;
    $old->{load_state} = $fresh->{name} eq $old->{name} ? $fresh->{load_state} : 'not-found';
    delete @$old{qw(after before)};
    delete $unit{$old->{name}} if !$is_loaded && $old->{state} eq 'inactive' && !$has_job->($old);
  }
}

# Whether there is something to say about a unit: a file, or what is left of one that was there.
sub is_known { return $_[0]{load_state} ne 'not-found' || $_[0]{state} ne 'inactive' }

# Drops a unit that will not come again: an instance for one caller.
sub forget {
  my ($unit) = @_;
  delete $unit{$unit->{name}};
}

sub full_name {
  my ($name) = @_;
  return $name =~ /\.(?:service|socket|timer|target|path|mount|automount|swap|device|slice|scope)$/ ? $name : "$name.service";
}

sub is_valid_name { return $_[0] =~ $NAME || $_[0] =~ $ABSENT_KIND }

sub kind_of {
  my ($unit) = @_;
  return ($unit->{name} =~ /\.(\w+)$/)[0];
}

sub find {
  my ($name) = @_;
  my $new = {name => $name, set => {}, drop_ins => [], state => 'inactive', sub => 'dead', result => 'success', load_state => 'not-found'};
  my $stub = {%$new, is_stub => 1, load_state => 'loaded', state => 'active', sub => 'active'};
  return $stub if is_absent($name);
  return $new unless $name =~ $NAME;
  my $template = template_of($name);
  my ($path) = grep { lstat } map { my $file = $_; map { "$_/$file" } @FOLDERS } $name, $template // ();
  if (defined $path) {
    return {%$new, load_state => 'masked', path => $path} if is_masked($path);
    my $real = alias_of($name, $path);
    if (defined $real) {
      # Two links may lead to each other.
      return $new if $is_followed{$name};
      local $is_followed{$name} = 1;
      return load($real);
    }
    UnitFile::read_into($new->{set}, $name, $path) or return $new;
    @$new{qw(path load_state)} = ($path, 'loaded');
  }
  elsif ($name =~ /\.target$/)                            { $new->{load_state} = 'loaded' }
  elsif (my $settings = InitScript::settings_of($name))   { @$new{qw(path load_state set)} = (InitScript::path_of($name), 'loaded', $settings) }
  else                                                    { return $name =~ $OF_SYSTEMD ? $stub : $new }
  if (my $fixed = $BUILT_IN{$name}) { UnitFile::add($new->{set}, "Unit.$_->[0]", $_->[1]) for @$fixed }
  for my $drop_in (drop_ins($name)) {
    push @{$new->{drop_ins}}, $drop_in if UnitFile::read_into($new->{set}, $name, $drop_in);
  }
  add_links($new);
  return $new;
}

sub is_absent {
  my ($name) = @_;
  return $name =~ $ABSENT_KIND || ($name =~ $ABSENT_UNIT && $name !~ /\.target$/);
}

# "name@.service" of "name@instance.service".
sub template_of {
  my ($name) = @_;
  return $name =~ /^([^@]+@)[^@]+(\.\w+)$/ ? "$1$2" : undef;
}

sub is_masked {
  my ($path) = @_;
  return (readlink $path // '') eq '/dev/null' || (-f $path && -z _ && !-l $path);
}

# Returns the name that a link gives another name to; undef for a file, and for a link to the same unit elsewhere.
sub alias_of {
  my ($name, $path) = @_;
  for (1 .. 8) {
    my $target = readlink $path // return;
    my ($last) = $target =~ m{([^/]+)$} or return;
    if ($last ne $name && $last ne (template_of($name) // '') && $last =~ $NAME) {
      my ($instance) = $name =~ /^[^@]+@([^@]+)\.\w+$/;
      $last =~ s/@\./\@$instance./ if defined $instance;
      return $last;
    }
    $path = $target =~ m{^/} ? $target : ($path =~ s{[^/]*$}{}r) . $target;
  }
  return;
}

# From the least specific to the most; a file of the same name in a folder with priority replaces the other.
sub drop_ins {
  my ($name) = @_;
  my ($base, $kind) = $name =~ /^(.*)\.(\w+)$/;
  my @names = $kind;
  my $cut = 0;
  while (($cut = index $base, '-', $cut) >= 0) { push @names, substr($base, 0, ++$cut) . ".$kind" }
  push @names, template_of($name) // (), $name;
  my %by_file;
  for my $folder (reverse @FOLDERS) {
    for my $each (@names) { $by_file{(m{([^/]+)$})[0]} = $_ for files_in("$folder/$each.d", qr/\.conf$/) }
  }
  return grep { (readlink $_ // '') ne '/dev/null' } map { $by_file{$_} } sort keys %by_file;
}

# Adds the links that "systemctl enable" of other units has made.
sub add_links {
  my ($new) = @_;
  for my $folder (@FOLDERS) {
    for ([wants => 'Wants'], [requires => 'Requires']) {
      my ($suffix, $key) = @$_;
      for my $path (files_in("$folder/$new->{name}.$suffix", $NAME)) {
        my ($wanted) = $path =~ m{([^/]+)$};
        push @{$new->{set}{"Unit.$key"}}, $wanted;
      }
    }
  }
  # Scripts without a unit are started in the run level of a server.
  push @{$new->{set}{'Unit.Wants'}}, grep { !has_file($_) } InitScript::enabled() if $new->{name} eq 'multi-user.target';
}

sub has_file {
  my ($name) = @_;
  return scalar grep { lstat "$_/$name" } @FOLDERS;
}

sub files_in {
  my ($folder, $pattern) = @_;
  opendir(my $handle, $folder) or return;
  return map { "$folder/$_" } sort grep { $_ =~ $pattern } readdir $handle;
}

# A pattern of a shell for names of units; ".service" may be left out.
sub glob_pattern {
  my ($text) = @_;
  my $pattern = join '', map { $_ eq '*' ? '.*' : $_ eq '?' ? '.' : quotemeta } split //, $text;
  return qr/^$pattern(?:\.service)?$/;
}

# All unit files by name, the one with priority first. Templates are among them.
sub all_files {
  my %path;
  for my $folder (@FOLDERS) {
    for my $path (files_in($folder, $NAME)) { $path{($path =~ m{([^/]+)$})[0]} //= $path }
  }
  return %path;
}

# ---- dependencies, as names of loaded units

sub names_in {
  my ($unit, @keys) = @_;
  return map { load($_)->{name} } grep { is_valid_name($_) } map { UnitFile::words_of($unit, "Unit.$_") } @keys;
}

sub requires { return (names_in($_[0], qw(Requires BindsTo)), implied_requires($_[0])) }
sub wants    { return (names_in($_[0], qw(Wants Upholds)), implied_wants($_[0])) }

# The units that must be settled before this one starts.
sub after {
  my ($unit) = @_;
  return $unit->{after} //= {map { $_ => 1 } names_in($unit, 'After'), implied_after($unit)};
}

sub before {
  my ($unit) = @_;
  return $unit->{before} //= {map { $_ => 1 } names_in($unit, 'Before'), implied_before($unit)};
}

sub comes_after {
  my ($unit, $other) = @_;
  return after($unit)->{$other->{name}} || before($other)->{$unit->{name}};
}

# The service that a socket, timer or path starts.
sub triggered_by {
  my ($unit) = @_;
  my ($kind) = ucfirst kind_of($unit);
  my $key = $kind eq 'Socket' ? 'Socket.Service' : "$kind.Unit";
  return full_name(UnitFile::value($unit, $key, $unit->{name} =~ s/\.\w+$/.service/r));
}

# The socket units that start this service.
sub sockets_of {
  my ($service) = @_;
  return grep { kind_of($_) eq 'socket' && !$_->{is_stub} && triggered_by($_) eq $service->{name} } loaded();
}

sub implied_requires {
  my ($unit) = @_;
  return unless $unit->{name} =~ /\.service$/;
  return (UnitFile::value($unit, 'Service.Type', '') eq 'dbus' ? 'dbus.socket' : (), UnitFile::words_of($unit, 'Service.Sockets'));
}

sub implied_wants {
  my ($unit) = @_;
  return $unit->{name} =~ /\.service$/ ? UnitFile::words_of($unit, 'Service.Sockets') : ();
}

sub implied_after {
  my ($unit) = @_;
  my @always = UnitFile::is_true($unit, 'Unit.DefaultDependencies', 'yes') ? ('sysinit.target') : ();
  my $kind = kind_of($unit);
  return (requires($unit), wants($unit)) if $kind eq 'target';
  return (@always, 'basic.target', implied_requires($unit)) if $kind eq 'service' && @always;
  return (@always, implied_requires($unit));
}

sub implied_before {
  my ($unit) = @_;
  my %target = (socket => 'sockets.target', timer => 'timers.target', path => 'paths.target');
  my $target = $target{kind_of($unit)} // return;
  return ($target, triggered_by($unit));
}

1;
