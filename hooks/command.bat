@ECHO OFF
REM The agent's wrapper has delayed expansion on, which would eat "!" in a path.
SETLOCAL EnableExtensions DisableDelayedExpansion
CALL "%~dp0lib\find-binary.bat"
IF NOT DEFINED rust_vmm_ci EXIT 3
REM A binary that was installed on the agent must be one that these hooks can work with.
SET "RUST_VMM_CI_HOOKS_VERSION="
FOR /F "usebackq tokens=1,2 delims== " %%A IN ("%~dp0..\Cargo.toml") DO IF "%%A"=="version" IF NOT DEFINED RUST_VMM_CI_HOOKS_VERSION SET "RUST_VMM_CI_HOOKS_VERSION=%%~B"
REM A variable with this name would hide the status of every command.
SET "ERRORLEVEL="
"%rust_vmm_ci%" hook command
REM Without /B, because under Wine the wrapper's CALL would turn every status into 1.
EXIT %ERRORLEVEL%
