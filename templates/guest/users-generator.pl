#!/usr/bin/perl
# A systemd.generator(7) of an emulated environment, whose users are one id: a unit's commands run through the guest's runuser(1), which
# gives that id the user's number in a user namespace (docs/decisions/0013-users-by-nested-maps.md).
#
# usage: envs-users FOLDER...    systemd runs it at boot and at each daemon-reload; drop-ins for units go to the first folder.
# service.d/50-envs.conf has removed User= from all units.
use strict;
use warnings;

my ($made) = @ARGV;
# By precedence; see systemd.unit(5).
my @FOLDERS = ('/etc/systemd/system', '/run/systemd/system', '/usr/local/lib/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system');
# These need rights of root and drop them by themselves, or are clients of the bus, which checks their id.
my $LEFT_ALONE = qr/^(?:systemd-|user\@|dbus|polkit)/;
my $USER_FORM = qr/^[\w.-]+\$?\z/;
my $SETTING = qr/^\s*(User|PermissionsStartOnly|Exec(?:Condition|StartPre|Start|StartPost|Reload|Stop|StopPost))\s*=\s*(.*?)\s*\z/;

my %is_seen;
for my $folder (@FOLDERS) {
  for my $path (glob "$folder/*.service") {
    my ($name) = $path =~ m{([^/]+)\z};
    next if $is_seen{$name}++ || is_masked($path) || $name =~ $LEFT_ALONE;
    my $text = drop_in(read_unit($path, map { glob "$_/$name.d/*.conf" } reverse @FOLDERS)) // next;
    mkdir "$made/$name.d";
    open(my $file, '>', "$made/$name.d/60-envs-users.conf") or next;
    print $file $text;
  }
}

sub is_masked {
  my ($path) = @_;
  return -l $path && (readlink $path) eq '/dev/null';
}

# Returns undef for a unit of root. The settings that are emptied would keep runuser from being executed, or from making a namespace.
sub drop_in {
  my ($unit) = @_;
  my $user = $unit->{User}[-1] // return;
  return if $user eq 'root' || $user eq '0' || $user !~ $USER_FORM || !defined getpwnam $user;
  my $text = "[Service]\nNoExecPaths=\nSystemCallFilter=\n";
  my $is_start_only = ($unit->{PermissionsStartOnly}[-1] // '') =~ /^(?:1|y|yes|t|true|on)\z/i;
  for my $key (grep { /^Exec/ && (!$is_start_only || $_ eq 'ExecStart') } sort keys %$unit) {
    $text .= "$key=\n" . join '', map { "$key=" . as_user($user, $_) . "\n" } @{$unit->{$key}};
  }
  return $text;
}

# A command with "+" or "!" is root's anyway; one with "@" names its own argument 0, which runuser can't give. See systemd.service(5).
sub as_user {
  my ($user, $line) = @_;
  my ($prefix, $command) = $line =~ /^([-:\@+!|]*)\s*(.*)$/s;
  return $prefix =~ /[\@+!]/ ? $line : "$prefix/usr/sbin/runuser -u $user -- $command";
}

# Returns the values of each setting. An empty value removes those before it, a backslash joins lines.
sub read_unit {
  my %unit;
  for my $path (@_) {
    open(my $file, '<', $path) or next;
    my ($section, $line) = ('', '');
    while (defined(my $next = <$file>)) {
      chomp $next;
      next if length $line && $next =~ /^\s*[#;]/;
      $line .= $next;
      next if $line =~ s/\\\z/ /;
      my $text = $line;
      $line = '';
      if ($text =~ /^\[(.+)\]/) { $section = $1; next }
      next unless $section eq 'Service' && $text =~ $SETTING;
      if (length $2) { push @{$unit{$1}}, $2 }
      else           { $unit{$1} = [] }
    }
  }
  return \%unit;
}
