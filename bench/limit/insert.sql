insert into lim_ins (payload) values ('{"result":"ok","n":12345,'
  '"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}');
