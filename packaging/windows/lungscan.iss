; Inno Setup 6: an installer of the program in dist\lungscan. UNTESTED: written without Windows at hand.
;   ISCC /DVersion=0.1.0 packaging\windows\lungscan.iss

#ifndef Version
  #define Version "0.0.0"
#endif

[Setup]
AppId={{6B1C5C0E-6E0B-4B0F-9C8F-6A5B2D0F4A11}
AppName=LungScan
AppVersion={#Version}
AppPublisher=The LungScan authors
AppComments=Research use only. Not for use in diagnostic procedures.
DefaultDirName={autopf}\LungScan
DefaultGroupName=LungScan
DisableProgramGroupPage=yes
PrivilegesRequired=lowest
PrivilegesRequiredOverridesAllowed=dialog
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
ChangesAssociations=yes
ChangesEnvironment=yes
LicenseFile=..\..\LICENSE
SetupIconFile=..\icon\lungscan.ico
UninstallDisplayIcon={app}\lungscan-gui.exe
SourceDir=.
OutputDir=..\..\dist
OutputBaseFilename=LungScan-{#Version}-setup
Compression=lzma2
SolidCompression=yes
WizardStyle=modern

[Tasks]
Name: desktopicon; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked
Name: path; Description: "Add the command lungscan to the PATH"
Name: files; Description: "Offer LungScan for slides (.svs, .ndpi, .mrxs and others)"

[Files]
Source: "..\..\dist\lungscan\*"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs createallsubdirs

[Icons]
Name: "{group}\LungScan"; Filename: "{app}\lungscan-gui.exe"
Name: "{autodesktop}\LungScan"; Filename: "{app}\lungscan-gui.exe"; Tasks: desktopicon

[Registry]
; LungScan is offered under "Open with"; whatever opens a kind of file now goes on opening it.
Root: HKA; Subkey: "Software\Classes\LungScan.Slide"; ValueType: string; ValueData: "Whole slide image"; Flags: uninsdeletekey; Tasks: files
Root: HKA; Subkey: "Software\Classes\LungScan.Slide\DefaultIcon"; ValueType: string; ValueData: "{app}\lungscan-gui.exe,0"; Tasks: files
Root: HKA; Subkey: "Software\Classes\LungScan.Slide\shell\open\command"; ValueType: string; ValueData: """{app}\lungscan-gui.exe"" ""%1"""; Tasks: files
#define Offer(str Suffix) "Root: HKA; Subkey: ""Software\Classes\." + Suffix + "\OpenWithProgids""; ValueType: string; ValueName: ""LungScan.Slide""; ValueData: """"; Flags: uninsdeletevalue; Tasks: files"
#emit Offer("svs")
#emit Offer("ndpi")
#emit Offer("mrxs")
#emit Offer("scn")
#emit Offer("bif")
#emit Offer("vms")
#emit Offer("vmu")
#emit Offer("svslide")
#emit Offer("czi")
#emit Offer("qptiff")
#emit Offer("dcm")
#emit Offer("tif")
#emit Offer("tiff")
Root: HKCU; Subkey: "Environment"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; Check: NotOnPath; Tasks: path

[Run]
Filename: "{app}\lungscan-gui.exe"; Description: "{cm:LaunchProgram,LungScan}"; Flags: nowait postinstall skipifsilent

[Code]
function NotOnPath(): Boolean;
var
  Path: string;
begin
  if not RegQueryStringValue(HKEY_CURRENT_USER, 'Environment', 'Path', Path) then
    Path := '';
  Result := Pos(';' + Uppercase(ExpandConstant('{app}')) + ';', ';' + Uppercase(Path) + ';') = 0;
end;
