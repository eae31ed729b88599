# escape=`
FROM mcr.example/windows AS win
COPY app.exe C:\app\
RUN dir `
    C:\app\
ENV A=a`ab B="`"quoted`""
